"""The whole system on one machine, and its demo."""
