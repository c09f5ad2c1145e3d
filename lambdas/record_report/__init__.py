"""The "Record Report" step."""
