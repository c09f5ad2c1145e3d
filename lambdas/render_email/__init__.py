"""The "Render Email" step."""
