"""The inputs of all estimates, read from ``figures.toml``: prices, quotas, measurements and the shapes of tasks."""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator

FIGURES_FILE = Path(__file__).with_name("figures.toml")
MILLION = 1_000_000

# "At 1,769 MB, a function has the equivalent of one vCPU": https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
# What was measured on a whole core is taken 1,769 / MemorySize times as long, as if all of it were computing: too high
# rather than too low.
CORE_MB = 1_769
# One call of StartExecution, there and back; the ten of a batch are made at the same time.
START_EXECUTION_MS = 100
# How many messages the dispatcher's measurement is of; fewer take and log so much less.
MEASURED_BATCH = 10
# small, medium and large, each as WebP and as JPEG (make_thumbnails/thumbnail_sizes.py), and their bytes together:
# those of the demo's largest photo, 1536 x 1024, scaled to the 3:4 of a phone's.
THUMBNAILS_PER_FILE = 6
THUMBNAIL_BYTES_PER_FILE = 300_000
# Each status change of an execution is an event: RUNNING, and how it ended.
STATUS_EVENTS = 2
# DynamoDB, for each mail: was it sent? (a consistent read), it is being sent, it is sent.
DYNAMODB_READS_PER_MAIL = 1
DYNAMODB_WRITES_PER_MAIL = 2
# CloudWatch adds this to each line: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
LOG_LINE_BYTES = 26
# What a step returns, which a durable execution writes down and keeps for 14 days.
STEP_RESULT_BYTES = 1_000
DURABLE_KEPT_MONTHS = 14 / 30
# The share of Task states that are tried once more. AWS counts each retry as a transition.
RETRY_RATE = 0.01
# Files and logs are priced for this long. Files stay longer: the parameter RetentionReportDays.
STORAGE_MONTHS = 1


class NotEstimated(LookupError):
    """A workflow has no figures, or its definition has what cannot be counted. The message says which."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Price(_Entry):
    """``usd`` for ``per`` of ``unit``. ``page`` is AWS's page of it; ``read`` says what was read, and when."""

    usd: float
    per: float
    unit: str
    service: str
    page: str
    read: str


class Quota(_Entry):
    """What AWS grants in us-east-2: ``limit`` each second with ``bucket`` at once, or ``limit`` at the same time."""

    unit: str
    limit: int
    page: str
    bucket: int = 0
    adjustable: bool = True


class Measured(_Entry):
    """One invocation of a function. ``stand_in`` names the function whose figures these are, if it has none."""

    p50_ms: int
    p95_ms: int
    mean_ms: int
    log_lines: float
    log_bytes: int
    samples: int
    stand_in: str = ""


class WorkflowShape(_Entry):
    """What one task of a workflow is made of; ``figures.toml`` describes the fields."""

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
                raise ValueError(f"{state}: its shares are {shares}. Make them 1 together, none below 0.")
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
