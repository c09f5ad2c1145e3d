"""Orders, with one plain task and one workflow of two steps."""
