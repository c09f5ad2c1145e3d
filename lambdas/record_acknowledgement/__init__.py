"""Records who has acknowledged an incident, for the "Record Acknowledgement" state."""
