"""Stores a supervisor's task token, for the "Await Acknowledgement" state."""
