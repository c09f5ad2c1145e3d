"""Chooses the next person to notify, for the "Choose Person" state."""
