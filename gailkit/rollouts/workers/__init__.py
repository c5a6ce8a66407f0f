"""Environments in processes of their own. What runs there, ``child`` and all it imports, does without torch."""
