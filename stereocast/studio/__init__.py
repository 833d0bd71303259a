"""The studio: a page for conversions. Its routes are mounted next to the library and player of `serve`."""
