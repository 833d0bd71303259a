"""The jobs, one folder each. They share `plan`, `assembly` and `comfort`."""
