"""The studio: a page for conversions, mounted beside the library and player of `serve`."""
