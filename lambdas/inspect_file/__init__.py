"""Detects and inspects a file, by its content alone."""
