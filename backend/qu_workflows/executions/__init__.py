"""Executions: list, show, redrive, restart, stop."""
