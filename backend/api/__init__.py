"""The REST API of guard reports and tasks."""
