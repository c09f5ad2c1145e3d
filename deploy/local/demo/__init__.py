"""The demo: its uploads, what is done to them, and whether all came of it that should."""
