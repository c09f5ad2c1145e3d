"""Costs of the workflows on AWS and their first quota limit (``make cost``, ``docs/explanation/costs.md``)."""
