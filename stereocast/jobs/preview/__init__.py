"""`preview`: moments of a film on one sheet."""
