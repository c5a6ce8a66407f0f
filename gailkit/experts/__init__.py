"""Where an action comes from when it is not ours: random actions, a function, a policy of another library."""
