"""Incidents, which supervisors are asked in turn to acknowledge."""
