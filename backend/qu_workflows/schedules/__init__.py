"""Schedules: expressions, checks, next runs, pause, resume, run now."""
