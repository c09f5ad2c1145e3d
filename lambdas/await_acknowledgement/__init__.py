"""Keeps the task token of a question to a supervisor, for the "Await Acknowledgement" state."""
