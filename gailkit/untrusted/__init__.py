"""Files that somebody else wrote: opened and checked by a child process, which hands over plain numbers and texts."""
