"""Task records: what was enqueued, how it is sent, and what became of it."""
