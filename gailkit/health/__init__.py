"""What the metrics of a run say of how it goes: the same rules while it trains and in the report on it."""
