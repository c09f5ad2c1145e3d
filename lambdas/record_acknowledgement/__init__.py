"""Records the acknowledgement of an incident, for the "Record Acknowledgement" state."""
