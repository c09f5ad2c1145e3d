"""Find the quota that limits a workflow first, and the increase to request."""

import math
from collections.abc import Mapping

from deploy.cost.figures import QUOTAS, SHAPES
from deploy.cost.usage import DISPATCHER, billed_s, invocations, ours, visits_of
from deploy.packages.functions import FUNCTIONS_BY_NAME

# So much more is asked for than is needed, so that a burst does not end where the day's peak does.
HEADROOM = 1.5


def needs(workflow: str) -> dict[str, float]:
    """Return what one task a second needs of each of AWS's quotas, the scarcest first."""
    usage, steps = ours(workflow), visits_of(workflow).functions
    needed = {
        "StartExecution": 1,
        "StateTransition": usage["transition"],
        # At most: when a Map's items come one after the other.
        "Open executions": SHAPES[workflow].waits_seconds + running(steps),
        "SendTaskSuccess": steps.get("await_acknowledgement", 0),
        "Lambda concurrency": running(invocations(workflow)),
        "SQS in flight": billed_s(DISPATCHER),
        "S3 PUT": usage["s3_put"],
        "S3 GET": usage["s3_get"],
        "DynamoDB writes": usage["dynamodb_write"],
    }
    return dict(sorted(needed.items(), key=lambda one: -one[1] / QUOTAS[one[0]].limit))


def running(times: Mapping[str, float]) -> float:
    """Return how many instances run at the same time when functions are invoked so often a second (Little's law)."""
    return sum(often * billed_s(name) for name, often in times.items())


def busiest_with_database(workflow: str) -> tuple[str, float]:
    """Return which function with a database has the most instances running at one task a second, and how many."""
    each = {name: running({name: often}) for name, often in invocations(workflow).items()}
    return max(((n, count) for n, count in each.items() if FUNCTIONS_BY_NAME[n].needs_database), key=lambda one: one[1])


def request(name: str, needed: float) -> str:
    """Return what to ask for, in two digits; "" where what is granted is enough, with headroom."""
    wanted = needed * HEADROOM
    if wanted <= QUOTAS[name].limit:
        return ""
    step = 10.0 ** max(0, math.floor(math.log10(wanted)) - 1)
    return f"{name} {math.ceil(wanted / step) * step:,.0f}" if QUOTAS[name].adjustable else f"{name} (more prefixes)"
