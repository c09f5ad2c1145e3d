"""Records what an execution became."""
