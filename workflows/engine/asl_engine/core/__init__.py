"""``advance`` and the data it works on. Pure functions: no clock, thread, file or service."""
