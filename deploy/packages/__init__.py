"""The functions, their dependencies, and their zips."""
