"""Charts as geometry: pure functions from numbers to the coordinates that the templates draw."""
