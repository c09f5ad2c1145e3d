"""The names of executions: task ids.

A task id is the execution's name, so equal ids start one execution: a message that is delivered twice and a schedule
that fires twice start once. Imports the standard library only, for the dispatcher.

============================================  ====================================================
a UUIDv7                                      a task that Django enqueues
the SQS MessageId                             a message without an id (``protocol.message``)
``daily_report_digest-20261124T120000Z``      the run of a schedule at its scheduled time
``<task id>-attempt-2``                       a restart: names stay blocked for 90 days after the end
============================================  ====================================================
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

# AWS: a name of an execution. https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
MAX_TASK_ID_LENGTH = 80
MAX_SCHEDULE_NAME_LENGTH = 40
# A letter begins each word, so that no two names make one logical id of the template.
SCHEDULE_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z][a-z0-9]*)*")
_TIME_FORMAT = "%Y%m%dT%H%M%SZ"
_ATTEMPT = re.compile(r"(?P<first>.+)-attempt-(?P<number>[1-9][0-9]{0,4})")
_SCHEDULED = re.compile(rf"(?P<schedule>{SCHEDULE_NAME.pattern})-(?P<time>[0-9]{{8}}T[0-9]{{6}}Z)")


def new_task_id() -> str:
    """Return a UUIDv7; ids sort by creation time."""
    from uuid6 import uuid7

    return str(uuid7())


@dataclass(frozen=True)
class ScheduledRun:
    """One run of a schedule, at a UTC time in seconds; ``attempt`` counts from 1."""

    schedule: str
    scheduled_at: datetime
    attempt: int = 1


def scheduled_id(schedule: str, scheduled_at: datetime) -> str:
    """Return the task id of a schedule's run. ``scheduled_at`` must be aware."""
    return f"{schedule}-{scheduled_at.astimezone(UTC):{_TIME_FORMAT}}"


def scheduled_run_of(task_id: str) -> ScheduledRun | None:
    """Parse the id of a scheduled run; return None for any other id."""
    first, attempt = split_attempt(task_id)
    match = _SCHEDULED.fullmatch(first)
    if match is None or len(match["schedule"]) > MAX_SCHEDULE_NAME_LENGTH:
        return None
    try:
        scheduled_at = datetime.strptime(match["time"], _TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:  # such as a month 13
        return None
    return ScheduledRun(match["schedule"], scheduled_at, attempt)


def attempt_id(first: str, attempt: int) -> str:
    """Return the id of attempt 2 or later; ``first`` is the id without a suffix.

    The digest replaces an id that is too long for the suffix.
    """
    suffix = f"-attempt-{attempt}"
    if len(first) + len(suffix) > MAX_TASK_ID_LENGTH:
        first = sha256(first.encode()).hexdigest()[:40]
    return first + suffix


def split_attempt(task_id: str) -> tuple[str, int]:
    """Return an id without its suffix, and its attempt, 1 without a suffix."""
    match = _ATTEMPT.fullmatch(task_id)
    return (match["first"], int(match["number"])) if match else (task_id, 1)
