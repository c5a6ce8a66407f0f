"""Files of demonstrations out of others: converted, merged, selected from, repaired."""
