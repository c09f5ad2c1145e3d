"""The demo: its uploads, its operations, and the checks of their effects."""
