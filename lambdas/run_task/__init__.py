"""Runs one registered Django task: the "Run Task" state of run_task."""
