"""What one task uses of each service in three designs: ours, the guide's single Lambda, durable functions.

A usage is an amount for each name of ``figures.PRICES``.
"""

import math
from collections.abc import Mapping
from functools import cache

from deploy.cost import figures
from deploy.cost.figures import MEASURED, MILLION, PRICES, RETRY_RATE, SHAPES, STATUS_EVENTS
from deploy.cost.transitions import Visits, read_definition, visits
from deploy.packages.functions import FUNCTIONS_BY_NAME
from deploy.template.cloudformation import Template, read_template

type Usage = Mapping[str, float]

GB = 1_000_000_000  # as AWS bills storage and logs, near enough
DISPATCHER, RECORDER = "dispatch_tasks", "record_execution_status"
SERVICES = tuple(dict.fromkeys(one.service for one in PRICES.values()))
# The guide: "Start with 1024MB", "batch sizes of 10"; Lambda's own longest is 900 s.
GUIDE_MEMORY_MB, GUIDE_BATCH, LAMBDA_LONGEST_S = 1_024, 10, 900


def memory_mb(function: str) -> int:
    """Return the MemorySize of a function, or that of Globals."""
    properties = _template()["Resources"][FUNCTIONS_BY_NAME[function].resource]["Properties"]
    return int(properties.get("MemorySize", _template()["Globals"]["Function"]["MemorySize"]))


def batch_size() -> int:
    """Return how many messages the dispatcher takes at a time."""
    return int(_template()["Resources"]["TasksEventSourceMapping"]["Properties"]["BatchSize"])


@cache
def visits_of(workflow: str) -> Visits:
    """Return what one execution of a workflow enters. Raises NotEstimated, as does all that follows from it."""
    return visits(read_definition(workflow), SHAPES[workflow])


def billed_s(function: str, memory: int = 0) -> float:
    """Return the seconds of one invocation: what was measured, stretched by the share of a core the memory brings."""
    share = figures.CORE_MB / (memory or memory_mb(function))
    stretched = MEASURED[function].mean_ms * max(1.0, share) * _of_measured(function)
    waiting = figures.START_EXECUTION_MS if function == DISPATCHER else 0
    return math.ceil(stretched + waiting) / 1_000


def invocations(workflow: str) -> dict[str, float]:
    """Return how often one task invokes each function: with retries, the dispatcher and the recorder of statuses."""
    return _tried(workflow) | {DISPATCHER: 1 / batch_size(), RECORDER: STATUS_EVENTS}


def price(usage: Usage, service: str = "") -> float:
    """Return the US dollars of a million tasks, of one service or all. Raises KeyError for what has no price."""
    priced = ((PRICES[name], amount) for name, amount in usage.items())
    return sum(MILLION * amount * one.usd / one.per for one, amount in priced if service in {"", one.service})


def ours(workflow: str) -> Usage:
    """Return the usage of one task as this project runs it."""
    return {
        **_around(workflow, batch_size()),
        **_functions(invocations(workflow)),
        "transition": visits_of(workflow).transitions,
        "service_event": STATUS_EVENTS,
        "trace": _parameter("TraceSampledPercent") / 100,
    }


def single_lambda(workflow: str) -> Usage | None:
    """Return the usage of the guide's design: one function takes the message and does all steps, one after the other.

    What fails is delivered and done again from its beginning; without a list of sent mails they are sent again.
    None where a message cannot wait that long.
    """
    seen = visits_of(workflow)
    seconds = sum(times * billed_s(name, GUIDE_MEMORY_MB) for name, times in seen.functions.items())
    if SHAPES[workflow].waits_seconds or seconds > LAMBDA_LONGEST_S:
        return None
    again = 1 + (1 - (1 - RETRY_RATE) ** seen.tasks)
    usage = _around(workflow, GUIDE_BATCH) | _functions(seen.functions)
    del usage["lambda_gb_second"], usage["dynamodb_read"], usage["dynamodb_write"]
    usage |= {"lambda_request": 1 / GUIDE_BATCH, "lambda_gb_second_x86": seconds * GUIDE_MEMORY_MB / 1_024}
    return {name: amount * (1 if name in {"s3_gb_month", "schedule"} else again) for name, amount in usage.items()}


def durable(workflow: str) -> Usage:
    """Return the usage of one durable function with our steps in it, behind the same queue and dispatcher.

    An operation is the start, each Task and each retry, each Map, each of its items and each callback. Pass and
    Choice are lines of code. Memory is that of the largest step's function.
    """
    steps, items = _tried(workflow), SHAPES[workflow].items
    around = {name: times for name, times in invocations(workflow).items() if name not in steps}
    memory = max(map(memory_mb, steps))
    operations = 1 + sum(steps.values()) + sum(visits_of(workflow).states[name] * (1 + items[name]) for name in items)
    written_gb = operations * figures.STEP_RESULT_BYTES / GB
    gb_seconds = _functions(steps, memory)["lambda_gb_second"] + _functions(around)["lambda_gb_second"]
    return {
        **ours(workflow),
        "transition": 0,
        "durable_operation": operations,
        "durable_written_gb": written_gb,
        "durable_kept_gb_month": written_gb * figures.DURABLE_KEPT_MONTHS,
        "lambda_request": 1 + steps.get("await_acknowledgement", 0) + sum(around.values()),
        "lambda_gb_second": gb_seconds,
    }


@cache
def _template() -> Template:
    return read_template()


def _parameter(name: str) -> float:
    return float(_template()["Parameters"][name]["Default"])


def _tried(workflow: str) -> dict[str, float]:
    return {name: times * (1 + RETRY_RATE) for name, times in visits_of(workflow).functions.items()}


def _of_measured(function: str) -> float:
    """Return how much of what was measured one invocation is: the dispatcher's is of ten messages."""
    return batch_size() / figures.MEASURED_BATCH if function == DISPATCHER else 1.0


def _functions(times: Mapping[str, float], memory: int = 0) -> dict[str, float]:
    """Return what invoking functions so often uses: requests, memory over time, and logs."""
    gb_seconds = logged = 0.0
    for name, often in times.items():
        gb_seconds += often * billed_s(name, memory) * (memory or memory_mb(name)) / 1_024
        log_bytes = MEASURED[name].log_bytes + MEASURED[name].log_lines * figures.LOG_LINE_BYTES
        logged += often * _of_measured(name) * log_bytes / GB
    return {
        "lambda_request": sum(times.values()),
        "lambda_gb_second": gb_seconds,
        "log_ingested_gb": logged,
        "log_kept_gb_month": logged * _parameter("LogRetentionDays") / 30,
    }


def _around(workflow: str, batch: int) -> dict[str, float]:
    """Return what every design needs: queue, files, mails, schedule. A receive and a delete are of a whole batch.

    Each file is uploaded, read by two functions, looked up once, its thumbnails written, one read for each mail.
    """
    shape = SHAPES[workflow]
    stored = shape.files * (shape.file_bytes + figures.THUMBNAIL_BYTES_PER_FILE)
    return {
        "sqs_request": 1 + 2 / batch,
        "schedule": shape.schedules,
        "mail": shape.mails,
        "dynamodb_read": shape.mails * figures.DYNAMODB_READS_PER_MAIL,
        "dynamodb_write": shape.mails * figures.DYNAMODB_WRITES_PER_MAIL,
        "s3_put": shape.files * (1 + figures.THUMBNAILS_PER_FILE),
        "s3_get": shape.files * (3 + shape.mails),
        "s3_gb_month": stored / GB * figures.STORAGE_MONTHS,
    }
