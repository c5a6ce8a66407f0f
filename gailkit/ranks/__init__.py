"""Several processes that train together: what they tell each other, and numbers of all of them."""
