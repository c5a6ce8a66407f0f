"""``gailkit record``: episodes of any policy, or of a person at the keyboard, into a file of demonstrations."""
