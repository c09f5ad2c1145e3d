"""Services that other code imports by name."""
