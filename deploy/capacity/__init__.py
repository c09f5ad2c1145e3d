"""A simulated day with a burst: it chooses MaximumConcurrency and BatchSize (``make capacity``, ``CAPACITY.md``)."""
