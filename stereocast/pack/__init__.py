"""Two views to the picture that is encoded. It knows nothing of depth or files."""
