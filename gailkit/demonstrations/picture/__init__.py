"""A data set as one picture to judge it by."""
