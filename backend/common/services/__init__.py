"""Services for existing imports."""
