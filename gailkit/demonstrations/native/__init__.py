"""gailkit's own file: what is where in it, writing it, and reading it, also where it is larger than memory."""
