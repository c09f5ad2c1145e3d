"""Runtime of functions: settings, logging, tracing, AWS clients, steps and Django."""
