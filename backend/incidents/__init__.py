"""Incidents: supervisors are asked in turn until one acknowledges."""
