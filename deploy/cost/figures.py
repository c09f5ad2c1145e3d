"""Inputs of all estimates, read from ``figures.toml``: prices, quotas, measurements and task shapes."""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator

FIGURES_FILE = Path(__file__).with_name("figures.toml")
MILLION = 1_000_000

# "At 1,769 MB, a function has the equivalent of one vCPU": https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
# A duration of a whole core is multiplied by 1,769 / MemorySize, as if all were computation: an upper bound.
CORE_MB = 1_769
# Round trip of one StartExecution; the ten of a batch run concurrently.
START_EXECUTION_MS = 100
# Messages in the dispatcher's measurement; its duration and log are proportional to the batch.
MEASURED_BATCH = 10
# small, medium and large, each as WebP and as JPEG (make_thumbnails/thumbnail_sizes.py), and their total size:
# those of the demo's largest photo, 1536 x 1024, scaled to the 3:4 of a phone's.
THUMBNAILS_PER_FILE = 6
THUMBNAIL_BYTES_PER_FILE = 300_000
# Each status change of an execution is an event: RUNNING, then the final status.
STATUS_EVENTS = 2
# DynamoDB, for each mail: a consistent read of its state, then writes of "sending" and "sent".
DYNAMODB_READS_PER_MAIL = 1
DYNAMODB_WRITES_PER_MAIL = 2
# CloudWatch adds this to each line: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
LOG_LINE_BYTES = 26
# A step's result, which a durable execution writes and keeps for 14 days.
STEP_RESULT_BYTES = 1_000
DURABLE_KEPT_MONTHS = 14 / 30
# Share of Task states that are retried once. AWS counts each retry as a transition.
RETRY_RATE = 0.01
# Storage of files and logs in the price. Files are kept longer: the parameter RetentionReportDays.
STORAGE_MONTHS = 1


class NotEstimated(LookupError):
    """A workflow has no figures, or its definition cannot be counted. The message says why."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Price(_Entry):
    """A list price: ``usd`` for ``per`` of ``unit``, and its source."""

    usd: float
    per: float
    unit: str
    service: str
    page: str
    read: str


class Quota(_Entry):
    """AWS's default: ``limit`` per second with a ``bucket``, or at the same time."""

    unit: str
    limit: int
    page: str
    bucket: int = 0
    adjustable: bool = True


class Measured(_Entry):
    """One invocation of a function. ``stand_in`` names the function measured in its place."""

    p50_ms: int
    p95_ms: int
    mean_ms: int
    log_lines: float
    log_bytes: int
    samples: int
    stand_in: str = ""


class WorkflowShape(_Entry):
    """Contents of one task of a workflow; ``figures.toml`` describes the fields."""

    task: str
    items: dict[str, int] = {}
    ways: dict[str, dict[str, float]] = {}
    files: float = 0
    file_bytes: int = 0
    mails: float = 0
    schedules: int = 0
    waits_seconds: float = 0

    @model_validator(mode="after")
    def _check_ways(self) -> "WorkflowShape":
        for state, shares in self.ways.items():
            if abs(sum(shares.values()) - 1) > 1e-9 or min(shares.values()) < 0:
                raise ValueError(f"{state}: the shares are {shares}. Make them add up to 1, none below 0.")
        return self


class _Figures(_Entry):
    prices: dict[str, Price]
    quotas: dict[str, Quota]
    measured: dict[str, Measured]
    shapes: dict[str, WorkflowShape]


class _Known[T](dict[str, T]):
    def __missing__(self, name: str) -> T:
        raise NotEstimated(f"{FIGURES_FILE.name} has no figures of {name}")


_FIGURES = _Figures.model_validate(tomllib.loads(FIGURES_FILE.read_text(encoding="utf-8")))
PRICES, QUOTAS = _FIGURES.prices, _FIGURES.quotas
MEASURED, SHAPES = _Known(_FIGURES.measured), _Known(_FIGURES.shapes)
