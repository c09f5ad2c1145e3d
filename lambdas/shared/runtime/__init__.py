"""How a function runs: its settings, logging, tracing, errors of AWS, and the edge to a state and to Django."""
