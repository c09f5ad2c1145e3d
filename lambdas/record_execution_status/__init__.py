"""Records the status of an execution."""
