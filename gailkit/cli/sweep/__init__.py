"""``gailkit sweep``: many runs from one file, and what they tell."""
