"""Sends a rendered mail, once."""
