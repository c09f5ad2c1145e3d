"""The project: its settings, addresses and checks."""
