"""How stages work together: their contracts, the chain that runs and closes them, time and progress."""
