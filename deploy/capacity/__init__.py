"""A simulated day that chooses MaximumConcurrency and BatchSize: ``make capacity``."""
