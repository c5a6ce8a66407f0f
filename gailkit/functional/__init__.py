"""Pure functions of tensors and arrays: one function, one equation."""
