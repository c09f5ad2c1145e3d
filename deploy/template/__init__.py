"""The SAM template: read, checked, and its alarms rendered."""
