"""What the pages have of gailkit itself: tables that are made from the code, so that they cannot go stale."""
