"""Two views to the picture that is encoded. It knows nothing about depth or files."""
