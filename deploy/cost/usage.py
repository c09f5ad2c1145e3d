"""What one task uses of each service, in three designs: ours, the single Lambda of the guide, durable functions.

A usage is an amount for each name of ``figures.PRICES``.
"""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from deploy.cost import figures
from deploy.cost.figures import MEASURED, SHAPES, Shape
from deploy.cost.transitions import Visits, read_definition, visits
from deploy.packages.functions import FUNCTIONS_BY_NAME
from deploy.template.cloudformation import read_template

type Usage = dict[str, float]

GB = 1_000_000_000  # as AWS bills storage and logs, near enough
# The guide: "Start with 1024MB", "batch sizes of 10"; Lambda's own longest is 900 s.
GUIDE_MEMORY_MB, GUIDE_BATCH, LAMBDA_LONGEST_S = 1_024, 10, 900


@dataclass(frozen=True)
class Settings:
    """What the template says: memory of each function in MB, share of tasks traced, days of logs, capacity."""

    memory_mb: Mapping[str, int]
    traced: float
    log_days: int
    batch: int
    maximum_concurrency: int
    max_connections: int
    max_connections_allowed: tuple[int, ...]


@cache
def settings() -> Settings:
    """Read the template. A function without a MemorySize of its own has Globals'."""
    template = read_template()
    everywhere = template["Globals"]["Function"]["MemorySize"]
    memory = {
        name: template["Resources"][function.resource]["Properties"].get("MemorySize", everywhere)
        for name, function in FUNCTIONS_BY_NAME.items()
    }
    parameters: Mapping[str, Any] = template["Parameters"]
    connections = parameters["DatabaseMaxConnections"]
    return Settings(
        memory,
        parameters["TraceSampledPercent"]["Default"] / 100,
        parameters["LogRetentionDays"]["Default"],
        template["Resources"]["TasksEventSourceMapping"]["Properties"]["BatchSize"],
        parameters["MaximumConcurrency"]["Default"],
        int(connections["Default"]),
        tuple(sorted(map(int, connections["AllowedValues"]))),
    )


@cache
def visits_of(workflow: str) -> Visits:
    """Return what one execution of a workflow enters, in the shape that ``SHAPES`` gives it."""
    shape = SHAPES[workflow]
    return visits(read_definition(workflow), shape.items, shape.ways)


def billed_s(function: str, memory_mb: int | None = None) -> float:
    """Return the seconds of one invocation: what was measured, stretched by the share of a core the memory brings."""
    share = figures.CPU_SHARE_MB / (memory_mb or settings().memory_mb[function])
    stretched = MEASURED[function].mean_ms * max(1.0, share)
    waiting = figures.START_EXECUTION_MS if function == "dispatch_tasks" else 0
    return math.ceil(stretched * _of_measured(function) + waiting) / 1_000


def _of_measured(function: str) -> float:
    """Return how much of what was measured one invocation is: the dispatcher's is of ten messages."""
    return settings().batch / figures.MEASURED_BATCH if function == "dispatch_tasks" else 1.0


def invocations(workflow: str) -> dict[str, float]:
    """Return how often one task invokes each function, retries and what stands around the execution included."""
    tried = {name: times * (1 + figures.RETRY_RATE) for name, times in visits_of(workflow).functions.items()}
    return tried | {"dispatch_tasks": 1 / settings().batch, "record_execution_status": figures.STATUS_EVENTS}


def ours(workflow: str) -> Usage:
    """Return the usage of one task as this project runs it."""
    usage = _around(workflow, settings().batch)
    for function, times in invocations(workflow).items():
        usage["lambda_request"] += times
        usage["lambda_gb_second"] += times * billed_s(function) * settings().memory_mb[function] / 1_024
    _add_logs(usage, invocations(workflow))
    usage["transition"] += visits_of(workflow).transitions(figures.RETRY_RATE)
    usage["service_event"] += figures.STATUS_EVENTS
    usage["trace"] += settings().traced
    return dict(usage)


def single_lambda(workflow: str) -> Usage | None:
    """Return the usage of the guide's design: one function takes the message and does all steps, one after the other.

    What fails is delivered again and done again from its beginning. There is no list of sent mails: they are sent
    again. None where a message can not be kept waiting that long.
    """
    if SHAPES[workflow].waits_s:
        return None
    functions = visits_of(workflow).functions
    again = 1 + (1 - (1 - figures.RETRY_RATE) ** visits_of(workflow).tasks)
    usage = _around(workflow, GUIDE_BATCH)
    del usage["dynamodb_read"], usage["dynamodb_write"]
    seconds = sum(times * billed_s(name, GUIDE_MEMORY_MB) for name, times in functions.items())
    if seconds > LAMBDA_LONGEST_S:
        return None
    usage["lambda_request"] = 1 / GUIDE_BATCH
    usage["lambda_gb_second_x86"] = seconds * GUIDE_MEMORY_MB / 1_024
    _add_logs(usage, functions)
    kept = {"s3_gb_month", "schedule"}
    return {name: amount if name in kept else amount * again for name, amount in usage.items()}


def durable(workflow: str) -> Usage:
    """Return the usage of one durable function with our steps in it, behind the same queue and dispatcher.

    An operation is the start, each Task and each try again, each Map, each of its items and each callback. Pass and
    Choice are lines of code. Memory is that of the largest step's function.
    """
    seen = visits_of(workflow)
    steps = {name: times * (1 + figures.RETRY_RATE) for name, times in seen.functions.items()}
    memory = max(settings().memory_mb[name] for name in steps)
    maps = len(SHAPES[workflow].items)
    usage = _around(workflow, settings().batch)
    usage["durable_operation"] = 1 + sum(steps.values()) + maps + seen.map_items
    usage["durable_written_gb"] = usage["durable_operation"] * figures.STEP_RESULT_BYTES / GB
    usage["durable_kept_gb_month"] = usage["durable_written_gb"] * figures.DURABLE_KEPT_MONTHS
    around = {name: times for name, times in invocations(workflow).items() if name not in steps}
    usage["lambda_request"] = 1 + steps.get("await_acknowledgement", 0) + sum(around.values())
    usage["lambda_gb_second"] = sum(times * billed_s(name, memory) for name, times in steps.items()) * memory / 1_024
    usage["lambda_gb_second"] += sum(
        times * billed_s(name) * settings().memory_mb[name] / 1_024 for name, times in around.items()
    )
    _add_logs(usage, invocations(workflow))
    usage["service_event"] = figures.STATUS_EVENTS
    usage["trace"] = settings().traced
    return dict(usage)


def _around(workflow: str, batch: int) -> defaultdict[str, float]:
    """Return what every design needs: queue, files, mails, schedule. A receive and a delete are of a whole batch."""
    shape = SHAPES[workflow]
    usage: defaultdict[str, float] = defaultdict(float)
    usage["sqs_request"] = 1 + 2 / batch
    usage["schedule"] = 1.0 if workflow == "daily_report_digest" else 0.0
    usage["mail"] = shape.mails
    usage["dynamodb_read"] = shape.mails * figures.DYNAMODB_READS_PER_MAIL
    usage["dynamodb_write"] = shape.mails * figures.DYNAMODB_WRITES_PER_MAIL
    _add_files(usage, shape)
    return usage


def _add_files(usage: defaultdict[str, float], shape: Shape) -> None:
    """Each file: uploaded, read by two functions, looked up once, its thumbnails written, one read for each mail."""
    usage["s3_put"] = shape.files * (1 + figures.THUMBNAILS_PER_FILE)
    usage["s3_get"] = shape.files * (3 + shape.mails)
    stored = shape.files * (shape.file_bytes + figures.THUMBNAIL_BYTES_PER_FILE)
    usage["s3_gb_month"] = stored / GB * figures.STORAGE_MONTHS


def _add_logs(usage: defaultdict[str, float], times: Mapping[str, float]) -> None:
    written = sum(
        often * _of_measured(name) * (MEASURED[name].log_bytes + MEASURED[name].log_lines * figures.LOG_LINE_BYTES)
        for name, often in times.items()
    )
    usage["log_ingested_gb"] = written / GB
    usage["log_kept_gb_month"] = written / GB * settings().log_days / 30
