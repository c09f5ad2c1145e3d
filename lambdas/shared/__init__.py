"""Shared code of functions: AWS clients, storage, logging, steps and decoding."""
