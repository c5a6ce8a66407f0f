"""Algorithm 1, what it is built from, and where a run is kept."""
