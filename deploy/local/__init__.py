"""The local stack: the whole system on one machine, and the demo on top of it."""
