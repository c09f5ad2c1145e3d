"""The tasks of this project, and the import paths to send them."""
