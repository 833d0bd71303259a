"""The jobs that a user can run, a folder for each; `plan`, `assembly` and `comfort` are shared."""
