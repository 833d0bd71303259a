"""How stages work together: their contracts, the chain that runs and closes them, timing and progress."""
