"""Describe, list and update Map Runs."""
