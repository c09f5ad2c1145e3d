"""The "Load Report" step."""
