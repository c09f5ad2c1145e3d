"""The REST API of guard reports and tasks, for the mobile app and the back office."""
