"""Alerts: mails about tasks and messages that have waited or run for too long."""
