"""Packs two views into the picture that is encoded. It knows no files."""
