"""A task's use of AWS's services in three designs, and of its quotas.

A usage is an amount for each name of ``figures.PRICES``.
"""

import math
from collections.abc import Mapping
from functools import cache

from deploy.cost import figures
from deploy.cost.figures import MEASURED, MILLION, PRICES, QUOTAS, RETRY_RATE, SHAPES, STATUS_EVENTS
from deploy.cost.transitions import entries_of
from deploy.packages.functions import FUNCTIONS_BY_NAME
from deploy.template.cloudformation import Template, read_template

type Usage = Mapping[str, float]

GB = 1_000_000_000  # as AWS bills storage and logs, near enough
DISPATCHER, RECORDER = "dispatch_tasks", "record_execution_status"
SERVICES = tuple(dict.fromkeys(one.service for one in PRICES.values()))
# The guide: "Start with 1024MB", "batch sizes of 10"; Lambda's longest timeout is 900 s.
GUIDE_MEMORY_MB, GUIDE_BATCH, LAMBDA_LONGEST_S = 1_024, 10, 900
# Request this multiple of the need, so that a burst does not exceed the new quota.
HEADROOM = 1.5


def memory_mb(function: str) -> int:
    """Return the MemorySize of a function, or that of Globals."""
    properties = _template()["Resources"][FUNCTIONS_BY_NAME[function].resource]["Properties"]
    return int(properties.get("MemorySize", _template()["Globals"]["Function"]["MemorySize"]))


def batch_size() -> int:
    """Return the BatchSize of the dispatcher's event source mapping."""
    return int(_template()["Resources"]["TasksEventSourceMapping"]["Properties"]["BatchSize"])


def billed_s(function: str, memory: int = 0) -> float:
    """Return the billed seconds of one invocation, scaled to the memory's share of a core."""
    share = figures.CORE_MB / (memory or memory_mb(function))
    scaled = MEASURED[function].mean_ms * max(1.0, share) * _share_of_measurement(function)
    waiting = figures.START_EXECUTION_MS if function == DISPATCHER else 0
    return math.ceil(scaled + waiting) / 1_000


def invocations(workflow: str) -> dict[str, float]:
    """Return the invocations per task by function, with retries, the dispatcher and the status recorder."""
    return _steps(workflow) | {DISPATCHER: 1 / batch_size(), RECORDER: STATUS_EVENTS}


def price(usage: Usage, service: str = "") -> float:
    """Return the US dollars of a million tasks, for one service or all."""
    priced = ((PRICES[name], amount) for name, amount in usage.items())
    return sum(MILLION * amount * one.usd / one.per for one, amount in priced if service in {"", one.service})


def ours(workflow: str) -> Usage:
    """Return the usage of one task in this project's design."""
    return {
        **_surroundings(workflow, batch_size()),
        **_functions(invocations(workflow)),
        "transition": entries_of(workflow).transitions,
        "service_event": STATUS_EVENTS,
        "trace": _parameter("TraceSampledPercent") / 100,
    }


def single_lambda(workflow: str) -> Usage | None:
    """Return the usage of the guide's design: one function does all steps of a message.

    A failed message is redelivered and all its steps run again, mails included.
    None when the steps exceed Lambda's timeout or wait for an answer.
    """
    entries = entries_of(workflow)
    seconds = sum(times * billed_s(name, GUIDE_MEMORY_MB) for name, times in entries.functions.items())
    if SHAPES[workflow].waits_seconds or seconds > LAMBDA_LONGEST_S:
        return None
    runs = 1 + (1 - (1 - RETRY_RATE) ** entries.tasks)
    usage = _surroundings(workflow, GUIDE_BATCH) | _functions(entries.functions)
    del usage["lambda_gb_second"], usage["dynamodb_read"], usage["dynamodb_write"]
    usage |= {"lambda_request": 1 / GUIDE_BATCH, "lambda_gb_second_x86": seconds * GUIDE_MEMORY_MB / 1_024}
    return {name: amount * (1 if name in {"s3_gb_month", "schedule"} else runs) for name, amount in usage.items()}


def durable(workflow: str) -> Usage:
    """Return the usage of one durable function with the same steps, queue and dispatcher.

    Operations are the start, each Task and retry, each Map and each of its items. Pass and Choice are code.
    Memory is that of the step with the most.
    """
    steps, items = _steps(workflow), SHAPES[workflow].items
    others = {name: times for name, times in invocations(workflow).items() if name not in steps}
    memory = max(map(memory_mb, steps))
    operations = 1 + sum(steps.values()) + sum(entries_of(workflow).states[name] * (1 + items[name]) for name in items)
    written_gb = operations * figures.STEP_RESULT_BYTES / GB
    return {
        **ours(workflow),
        "transition": 0,
        "durable_operation": operations,
        "durable_written_gb": written_gb,
        "durable_kept_gb_month": written_gb * figures.DURABLE_KEPT_MONTHS,
        "lambda_request": 1 + steps.get("await_acknowledgement", 0) + sum(others.values()),
        "lambda_gb_second": _functions(steps, memory)["lambda_gb_second"] + _functions(others)["lambda_gb_second"],
    }


def quota_needs(workflow: str) -> dict[str, float]:
    """Return the need of each quota at one task per second, scarcest first."""
    usage, steps = ours(workflow), entries_of(workflow).functions
    needed = {
        "StartExecution": 1,
        "StateTransition": usage["transition"],
        # An upper bound: a Map's items one after the other.
        "Open executions": SHAPES[workflow].waits_seconds + concurrency(steps),
        "SendTaskSuccess": steps.get("await_acknowledgement", 0),
        "Lambda concurrency": concurrency(invocations(workflow)),
        "SQS in flight": billed_s(DISPATCHER),
        "S3 PUT": usage["s3_put"],
        "S3 GET": usage["s3_get"],
        "DynamoDB writes": usage["dynamodb_write"],
    }
    return dict(sorted(needed.items(), key=lambda one: -one[1] / QUOTAS[one[0]].limit))


def concurrency(rates: Mapping[str, float]) -> float:
    """Return the instances that run at once at these invocations per second (Little's law)."""
    return sum(rate * billed_s(name) for name, rate in rates.items())


def busiest_with_database(workflow: str) -> tuple[str, float]:
    """Return the busiest function with a database, and its instances at one task/s."""
    each = {name: concurrency({name: rate}) for name, rate in invocations(workflow).items()}
    return max(((n, count) for n, count in each.items() if FUNCTIONS_BY_NAME[n].needs_database), key=lambda one: one[1])


def quota_request(name: str, needed: float) -> str:
    """Return the increase to request, in two digits; "" where the default suffices with headroom."""
    wanted = needed * HEADROOM
    if wanted <= QUOTAS[name].limit:
        return ""
    step = 10.0 ** max(0, math.floor(math.log10(wanted)) - 1)
    return f"{name} {math.ceil(wanted / step) * step:,.0f}" if QUOTAS[name].adjustable else f"{name} (more prefixes)"


@cache
def _template() -> Template:
    return read_template()


def _parameter(name: str) -> float:
    return float(_template()["Parameters"][name]["Default"])


def _steps(workflow: str) -> dict[str, float]:
    return {name: times * (1 + RETRY_RATE) for name, times in entries_of(workflow).functions.items()}


def _share_of_measurement(function: str) -> float:
    return batch_size() / figures.MEASURED_BATCH if function == DISPATCHER else 1.0


def _functions(rates: Mapping[str, float], memory: int = 0) -> dict[str, float]:
    """Return the usage of these invocations: requests, memory over time, and logs."""
    gb_seconds = logged = 0.0
    for name, rate in rates.items():
        gb_seconds += rate * billed_s(name, memory) * (memory or memory_mb(name)) / 1_024
        log_bytes = MEASURED[name].log_bytes + MEASURED[name].log_lines * figures.LOG_LINE_BYTES
        logged += rate * _share_of_measurement(name) * log_bytes / GB
    return {
        "lambda_request": sum(rates.values()),
        "lambda_gb_second": gb_seconds,
        "log_ingested_gb": logged,
        "log_kept_gb_month": logged * _parameter("LogRetentionDays") / 30,
    }


def _surroundings(workflow: str, batch: int) -> dict[str, float]:
    """Return the usage that all designs share: queue, files, mails, schedule.

    A receive and a delete serve a whole batch. Each file is uploaded, read by two functions and checked once; its
    thumbnails are written; each mail reads one.
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
