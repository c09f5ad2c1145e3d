"""The numbers that the simulation goes by. Prices, quotas and what was measured are ``deploy/cost/figures.py``'s."""

import math
from functools import cache

from deploy.cost.figures import CPU_SHARE_MB, MEASURED, MEASURED_BATCH, QUOTAS, START_EXECUTION_MS
from deploy.cost.usage import settings
from deploy.packages.functions import FUNCTIONS_BY_NAME

# us-east-2 is none of the three Regions with more.
STARTS_BUCKET, STARTS_PER_SECOND = QUOTAS["StartExecution"].other_bucket or 0, QUOTAS["StartExecution"].other
TRANSITIONS_BUCKET, TRANSITIONS_PER_SECOND = (
    QUOTAS["StateTransition"].other_bucket or 0,
    QUOTAS["StateTransition"].other,
)
LAMBDA_CONCURRENCY = int(QUOTAS["Lambda concurrency"].other)
CALL_SECONDS = START_EXECUTION_MS / 1000
# Assumed, not measured on Lambda: Django's imports at 0.29 of a core, and a function without it.
COLD_SECONDS_WITH_DATABASE, COLD_SECONDS = 3.0, 1.0
# Assumed: how long a person takes to acknowledge an incident.
ANSWER_SECONDS = 240.0
# A few samples of very different tasks spread more than one kind of work does; above this a mean says nothing.
MOST_SPREAD = 1.0


def cold_seconds(function: str) -> float:
    """Return how long a cold start takes before the code of an invocation begins."""
    return COLD_SECONDS_WITH_DATABASE if FUNCTIONS_BY_NAME[function].needs_database else COLD_SECONDS


@cache
def seconds_and_spread(function: str) -> tuple[float, float]:
    """Return the median of a function's seconds at its memory, and the spread (sigma) of a lognormal around it.

    What was measured on a whole core takes as much longer as its MemorySize has less of one. The dispatcher's are of
    one message: `make bench` has 2.7 ms for a batch of one and 12.7 for ten besides their starts, so nearly all of a
    batch's is each message's.
    """
    measured = MEASURED[function]
    slower = max(1.0, CPU_SHARE_MB / settings().memory_mb[function])
    spread = math.log(measured.p95_ms / measured.p50_ms) / 1.645  # the normal distribution's 95 %
    messages = MEASURED_BATCH if function == "dispatch_tasks" else 1
    return measured.p50_ms / 1000 * slower / messages, min(spread, MOST_SPREAD)


def mean_seconds(function: str) -> float:
    """Return the mean that the drawn seconds of a function tend to."""
    median, spread = seconds_and_spread(function)
    return median * math.exp(spread**2 / 2)
