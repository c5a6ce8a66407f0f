"""Policies on the Hugging Face Hub: what is published of a run, and a run out of what is found there."""
