"""The dead-letter queue: list, redrive, purge."""
