"""What the stack bears: a simulation of queue, dispatcher, quotas and steps, event by event, in simulated time.

It chooses ``MaximumConcurrency`` and ``BatchSize``; ``make capacity`` runs it and writes ``deploy/CAPACITY.md``.
::

    clock.py        simulated time
    buckets.py      AWS's token bucket
    instances.py    the instances of functions: reserved and unreserved concurrency, cold starts
    shapes.py       what an execution goes through, out of its definition
    executions.py   Step Functions: starts, transitions, retries of throttled functions
    queue.py        SQS, the event source mapping and the dispatcher
    arrivals.py     what a day brings
    figures.py      the numbers it all goes by
    simulation.py   puts them together, and measures
    choice.py       the sweep and what it chooses
    study.py        all runs of `make capacity`, kept in results.json
    report.py       deploy/CAPACITY.md
    chart.py        its chart
"""
