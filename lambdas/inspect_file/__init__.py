"""Finds out what a file is, by its content alone."""
