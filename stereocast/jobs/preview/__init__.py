"""`preview`: shows moments of a film on one sheet."""
