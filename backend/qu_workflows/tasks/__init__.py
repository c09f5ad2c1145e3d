"""Tasks: enqueue, record, send, run, and record the result."""
