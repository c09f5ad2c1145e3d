"""Chooses whom to ask of an incident next, for the "Choose Person" state."""
