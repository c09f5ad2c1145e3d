"""Which quota stops a workflow first at so many tasks a second, and what to ask AWS for."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from deploy.cost.figures import QUOTAS, SHAPES
from deploy.cost.usage import billed_s, invocations, ours, settings, visits_of
from deploy.packages.functions import FUNCTIONS_BY_NAME
from deploy.template.connections import ACCOUNT_CONCURRENCY, KEPT_UNRESERVED, WITH_DATABASE, instances_per_function

RATES = (10, 100, 1_000)
# Asked for: this much more than is needed, so that a burst does not end where the day's peak does.
HEADROOM = 1.5
# Out of the sandbox the account's own; so it is asked for, and not what stops first.
_UNKNOWN = frozenset({"SES, sandbox"})


@dataclass(frozen=True)
class Demand:
    """What a workflow at a rate needs of one limit, which is AWS's quota or a parameter's default in the template."""

    name: str
    unit: str
    needed: float
    limit: float
    adjustable: bool = True

    @property
    def share(self) -> float:
        """How much of the limit is needed: over 1 it stops."""
        return self.needed / self.limit

    @property
    def to_ask(self) -> float:
        """What to ask for, in two digits; the limit where that is enough."""
        wanted = self.needed * HEADROOM
        if wanted <= self.limit:
            return self.limit
        step = 10.0 ** max(0, math.floor(math.log10(wanted)) - 1)
        return math.ceil(wanted / step) * step


def demands(workflow: str, rate: float, *, in_main_region: bool = False) -> list[Demand]:
    """Return what a workflow at so many tasks a second needs of each of AWS's quotas, what is scarcest first.

    The quotas are those of us-east-2, or of us-east-1 and the other two main Regions.
    """
    needed = _needed(workflow, rate)
    found = [
        Demand(name, quota.unit, needed[name], quota.main if in_main_region else quota.other, quota.adjustable)
        for name, quota in QUOTAS.items()
        if needed.get(name) and name not in _UNKNOWN
    ]
    return sorted(found, key=lambda demand: -demand.share)


def mails_a_second(workflow: str, rate: float) -> float:
    """Return how many mails a second SES has to let through: its quota is each account's own."""
    return rate * ours(workflow).get("mail", 0)


def settings_needed(workflow: str, rate: float) -> list[Demand]:
    """Return what the template's own limits have to bear: batches at the same time, instances with a database."""
    dispatching = rate / settings().batch * billed_s("dispatch_tasks")
    found = [
        Demand(
            "MaximumConcurrency",
            "batches dispatched at the same time",
            dispatching,
            settings().maximum_concurrency,
        )
    ]
    busiest, at_work = busiest_with_database(workflow, rate)
    allowed = instances_per_function(settings().max_connections)
    found.append(Demand("DatabaseMaxConnections", f"instances of {busiest}", at_work, allowed))
    return sorted(found, key=lambda demand: -demand.share)


def connections_needed(workflow: str, rate: float) -> int | None:
    """Return the smallest DatabaseMaxConnections whose instances carry it; None where the largest does not."""
    _, at_work = busiest_with_database(workflow, rate)
    values = settings().max_connections_allowed
    return next((value for value in values if instances_per_function(value) >= at_work), None)


def concurrency_needed(max_connections: int) -> int | None:
    """Return the account's concurrency without which this DatabaseMaxConnections is refused; None where it has that.

    The functions with a database and the dispatcher reserve theirs, and an account keeps some that nobody reserves.
    """
    reserved = WITH_DATABASE * instances_per_function(max_connections) + settings().maximum_concurrency
    needed = reserved + KEPT_UNRESERVED
    return needed if needed > ACCOUNT_CONCURRENCY else None


def busiest_with_database(workflow: str, rate: float) -> tuple[str, float]:
    """Return which function with a database has the most instances at work, and how many."""
    at_work = {name: n for name, n in _at_work(workflow, rate).items() if FUNCTIONS_BY_NAME[name].needs_database}
    name = max(at_work, key=lambda one: at_work[one])
    return name, at_work[name]


def _at_work(workflow: str, rate: float) -> dict[str, float]:
    """Little's law: invocations a second times the seconds of each."""
    return {name: rate * times * billed_s(name) for name, times in invocations(workflow).items()}


def _needed(workflow: str, rate: float) -> Mapping[str, float]:
    usage, seen = ours(workflow), visits_of(workflow)
    return {
        "StartExecution": rate,
        "StateTransition": rate * usage["transition"],
        "Open executions": rate * _open_s(workflow),
        "SendTaskSuccess": rate * seen.functions.get("await_acknowledgement", 0),
        "Lambda concurrency": sum(_at_work(workflow, rate).values()),
        "SQS in flight": rate * billed_s("dispatch_tasks"),
        "S3 PUT": rate * usage["s3_put"],
        "S3 GET": rate * usage["s3_get"],
        "DynamoDB writes": rate * usage["dynamodb_write"],
    }


def _open_s(workflow: str) -> float:
    """How long an execution is open at most, when a Map's items come one after the other."""
    seen = visits_of(workflow)
    return SHAPES[workflow].waits_s + sum(times * billed_s(name) for name, times in seen.functions.items())
