"""What a user asks for, one folder each; `plan`, `assembly` and `comfort` are shared by all of them."""
