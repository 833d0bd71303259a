"""The studio: conversions from a page. Routes that are mounted beside the library and player of `serve`."""
