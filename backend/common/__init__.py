"""The tasks of this project and the ways to send one; the import paths that callers have."""
