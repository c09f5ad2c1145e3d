"""The geometry of charts: pure functions from numbers to the coordinates that templates draw."""
