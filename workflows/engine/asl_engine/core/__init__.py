"""The engine's heart: ``advance`` and the data it works on. Pure: no clock, thread, file or service."""
