"""Clients of AWS, the rates at which it may be called, and its queues."""
