"""The three-step chain that bench_engine.py compares with: a Celery app on the Redis at BENCH_REDIS_URL.

``python -m tests.benchmarks.celery_chain NUMBER`` prints how many chains a second its worker ends.
"""

import os
import sys
import time

from celery import Celery, chain  # type: ignore[import-untyped]  # Celery has no types
from celery.canvas import Signature  # type: ignore[import-untyped]

URL = os.environ["BENCH_REDIS_URL"]
app = Celery("celery_chain", broker=URL, backend=URL)
app.conf.update(worker_hijack_root_logger=False, broker_connection_retry_on_startup=True)


@app.task(name="step")  # type: ignore[untyped-decorator]  # Celery has no types
def step(number: int) -> int:
    """Do as little as the workflow's steps do."""
    return number + 1


def three_steps() -> Signature:
    """Return the chain of three."""
    return chain(step.s(0), step.s(), step.s())


def chains_per_second(number: int) -> float:
    """Send that many chains at once, wait for all results, and return the rate."""
    three_steps().apply_async().get(timeout=60)  # the worker may still be starting
    began = time.perf_counter()
    results = [three_steps().apply_async() for _ in range(number)]
    if {result.get(timeout=120) for result in results} != {3}:
        raise RuntimeError("A chain gave something else than 3.")
    return number / (time.perf_counter() - began)


if __name__ == "__main__":
    sys.stdout.write(f"{chains_per_second(int(sys.argv[1]))}\n")
    sys.stdout.flush()
    os._exit(0)  # Celery's results would ask Redis once more as they are collected
