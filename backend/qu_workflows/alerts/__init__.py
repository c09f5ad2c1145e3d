"""Alerts: what has waited or run for too long, and the mail about it."""
