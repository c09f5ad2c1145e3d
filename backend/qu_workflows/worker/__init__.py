"""The worker: one process that runs recorded tasks on the embedded engine, without AWS."""
