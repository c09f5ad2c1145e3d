"""The schedules: which task runs when, declared once.

``make states`` renders them into ``deploy/template.yaml`` as EventBridge schedules that put the task's message
on the task queue: a scheduled task is a task like any other. A run's task id is the schedule's name and the
scheduled time, so a schedule that fires twice starts one execution.

To add one: add a ``Schedule`` to ``SCHEDULES`` and run ``make states``.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

HOUR_SECONDS = 3600
# EventBridge Scheduler's own maxima.
MAX_RETRY_ATTEMPTS = 185
MAX_EVENT_AGE_SECONDS = 86_400


class Overlap(StrEnum):
    """What becomes of a run whose predecessor has not ended."""

    ALLOW = "allow"
    SKIP = "skip"


@dataclass(frozen=True)
class RetryPolicy:
    """How long EventBridge Scheduler tries to put a message on the queue; then it goes to the dead-letter queue."""

    maximum_retry_attempts: int = MAX_RETRY_ATTEMPTS
    maximum_event_age_seconds: int = MAX_EVENT_AGE_SECONDS


@dataclass(frozen=True)
class Schedule:
    """One schedule.

    ``expression`` is ``cron(…)``, ``rate(…)`` or ``at(…)`` as AWS writes them, read in ``time_zone`` (an IANA name).
    ``flexible_window_minutes`` is 0 (off) to 1,440. ``dead_letter_queue`` is a queue's name in the template.
    ``start_deadline_seconds`` is the rule for a run that was missed, because the queue, the scheduler or the
    database was down: begun later than that after its time it is skipped; None: it runs however late.
    A skipped run ends as SUCCEEDED, and its result says why it was skipped.
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


SCHEDULES: tuple[Schedule, ...] = (
    Schedule(
        name="daily_report_digest",
        task="daily_report_digest",
        expression="cron(0 7 * * ? *)",
        time_zone="America/New_York",
        description="Mails each client what was reported yesterday.",
        flexible_window_minutes=15,
        overlap=Overlap.SKIP,
        start_deadline_seconds=12 * HOUR_SECONDS,
    ),
    Schedule(
        name="retention_sweep",
        task="retention_sweep",
        expression="cron(30 3 * * ? *)",
        time_zone="America/New_York",
        description="Removes reports, files and task records that are past their date.",
        flexible_window_minutes=60,
        overlap=Overlap.SKIP,
        start_deadline_seconds=12 * HOUR_SECONDS,
    ),
    Schedule(
        name="send_outbox",
        task="send_outbox",
        expression="rate(1 minute)",
        description="Sends tasks that were recorded and never left.",
        # The next minute does what this one could not.
        retry_policy=RetryPolicy(maximum_retry_attempts=2, maximum_event_age_seconds=60),
        overlap=Overlap.SKIP,
        # No deadline: behind a long queue every run is late, and none would do its work.
    ),
    Schedule(
        name="watch_stuck",
        task="watch_stuck",
        expression="rate(5 minutes)",
        description="Tells operations of executions and messages that are older than they should be.",
        retry_policy=RetryPolicy(maximum_retry_attempts=2, maximum_event_age_seconds=300),
        overlap=Overlap.SKIP,
        # No deadline: a queue that is behind is what it has to tell of.
    ),
    Schedule(
        name="sample_histories",
        task="sample_histories",
        expression="rate(5 minutes)",
        description="Keeps samples of what executions did: how long their states take, which way they go.",
        retry_policy=RetryPolicy(maximum_retry_attempts=2, maximum_event_age_seconds=300),
        overlap=Overlap.SKIP,
        start_deadline_seconds=600,
    ),
)
SCHEDULES_BY_NAME: Mapping[str, Schedule] = MappingProxyType({schedule.name: schedule for schedule in SCHEDULES})
