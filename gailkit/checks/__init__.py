"""What can be wrong with demonstrations: one module a family of checks, each a function from episodes to findings."""
