"""The declaration of a schedule: EventBridge Scheduler sends its task's message.

A run's task id is the schedule's name and the scheduled time, so a schedule that fires twice starts one execution.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

# EventBridge Scheduler's own maxima.
MAX_RETRY_ATTEMPTS = 185
MAX_EVENT_AGE_SECONDS = 86_400


class Overlap(StrEnum):
    """The rule for a run whose predecessor has not ended."""

    ALLOW = "allow"
    SKIP = "skip"


@dataclass(frozen=True)
class RetryPolicy:
    """The limits of EventBridge Scheduler's retries; then a message becomes a dead letter."""

    maximum_retry_attempts: int = MAX_RETRY_ATTEMPTS
    maximum_event_age_seconds: int = MAX_EVENT_AGE_SECONDS


@dataclass(frozen=True)
class Schedule:
    """One schedule.

    ``expression`` is ``cron(…)``, ``rate(…)`` or ``at(…)`` as AWS writes them, read in ``time_zone`` (an IANA name).
    ``flexible_window_minutes`` is 0 (off) to 1,440. ``dead_letter_queue`` is a queue's name in the template.
    ``start_deadline_seconds``: a run that starts later than that after its time is skipped, for example because the
    queue was down; None means never. A skipped run ends as SUCCEEDED, with the reason in its result.
    """

    name: str
    task: str
    expression: str
    description: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    time_zone: str = "UTC"
    flexible_window_minutes: int = 0
    retry_policy: RetryPolicy = RetryPolicy()
    dead_letter_queue: str = "TasksDeadLetterQueue"
    overlap: Overlap = Overlap.ALLOW
    start_deadline_seconds: int | None = None
