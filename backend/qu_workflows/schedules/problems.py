"""Validation of declared schedules, one sentence per problem with its fix.

Used by ``make states``, which renders nothing while there is a problem, and by Django's system check.
The limits are EventBridge Scheduler's:
https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from zoneinfo import ZoneInfo

from qu_workflows.protocol.catalog import CatalogEntry
from qu_workflows.protocol.execution_names import MAX_SCHEDULE_NAME_LENGTH, SCHEDULE_NAME
from qu_workflows.protocol.message import PayloadDoesNotFit, canonical_json, fit_payload
from qu_workflows.protocol.schedule import MAX_EVENT_AGE_SECONDS, MAX_RETRY_ATTEMPTS, Schedule
from qu_workflows.schedules.expressions import At, ExpressionRefused, moment_of, parse

MAX_FLEXIBLE_WINDOW_MINUTES = 1440
MIN_EVENT_AGE_SECONDS = 60
MAX_DESCRIPTION_LENGTH = 512
# SQS takes 1 MiB, an execution 256 KiB; a schedule's payload is written by hand.
MAX_PAYLOAD_BYTES = 16_384
# EventBridge Scheduler starts a run at any second of its minute.
PRECISION = timedelta(minutes=1)
# Files beside the time zones in a machine's copy of the IANA database.
_OF_THIS_MACHINE = re.compile(r"localtime$|posixrules$|Factory$|posix/|right/")
_LOGICAL_ID = re.compile(r"[A-Za-z0-9]+")


def problems_of(schedule: Schedule, catalog: Mapping[str, CatalogEntry]) -> list[str]:
    """Return the problems of a schedule, one sentence each."""
    checks = (
        _of_name(schedule),
        _of_task(schedule, catalog),
        _of_expression(schedule),
        _of_numbers(schedule),
        _of_deadline(schedule),
    )
    return [f"Schedule {schedule.name!r}, {problem}" for problems in checks for problem in problems]


def problems_of_all(schedules: Iterable[Schedule], catalog: Mapping[str, CatalogEntry]) -> list[str]:
    """Return the problems of all schedules, and duplicate names."""
    schedules = tuple(schedules)
    found = [problem for schedule in schedules for problem in problems_of(schedule, catalog)]
    twice = [name for name, times in Counter(schedule.name for schedule in schedules).items() if times > 1]
    return found + [f"Schedule {name!r}, name: several schedules have it. Rename one." for name in twice]


def time_zone_problem(time_zone: str) -> str | None:
    """Return why a text is not a time zone, or None."""
    try:
        ZoneInfo(time_zone)
        is_known = not _OF_THIS_MACHINE.match(time_zone)
    except (KeyError, ValueError, OSError):  # not found; a path; a folder of the database
        is_known = False
    if is_known:
        return None
    return f"{time_zone!r} is not a time zone. Give a name of the IANA database, such as America/New_York or UTC."


def _of_name(schedule: Schedule) -> Iterator[str]:
    if not SCHEDULE_NAME.fullmatch(schedule.name) or len(schedule.name) > MAX_SCHEDULE_NAME_LENGTH:
        yield (
            f"name: cannot name a schedule. Use words of a-z and 0-9 that start with a letter, joined by _, "
            f"at most {MAX_SCHEDULE_NAME_LENGTH} characters."
        )
    if not schedule.description or len(schedule.description) > MAX_DESCRIPTION_LENGTH:
        yield f"description: has {len(schedule.description)} characters. Give 1 to {MAX_DESCRIPTION_LENGTH}."


def _of_task(schedule: Schedule, catalog: Mapping[str, CatalogEntry]) -> Iterator[str]:
    entry = catalog.get(schedule.task)
    if entry is None:
        yield f"task: {schedule.task!r} is not in the catalog. Register the task and run make states."
        return
    if not _LOGICAL_ID.fullmatch(schedule.dead_letter_queue):
        yield f"dead_letter_queue: {schedule.dead_letter_queue!r} is not a queue of the template. Give its logical id."
    try:
        size_bytes = len(canonical_json(dict(schedule.payload)).encode())
        fit_payload(entry, json.loads(canonical_json(dict(schedule.payload))))
    except PayloadDoesNotFit as error:
        yield f"payload: {error.problem} {error.remedy}"
    except (TypeError, ValueError) as error:
        yield f"payload: is not JSON ({error}). Give strings, numbers, lists and dicts of them."
    else:
        if size_bytes > MAX_PAYLOAD_BYTES:
            yield f"payload: {size_bytes:,} bytes; a schedule takes {MAX_PAYLOAD_BYTES:,}. Let the task read the data."


def _of_expression(schedule: Schedule) -> Iterator[str]:
    zone_problem = time_zone_problem(schedule.time_zone)
    if zone_problem:
        yield f"time_zone: {zone_problem}"
    try:
        parsed = parse(schedule.expression)
    except ExpressionRefused as error:
        yield f"expression: {error}"
        return
    if isinstance(parsed, At) and not zone_problem and moment_of(parsed.local, ZoneInfo(schedule.time_zone)) is None:
        yield f"expression: the clocks of {schedule.time_zone} skip {parsed.local.isoformat()}. Give another time."


def _of_numbers(schedule: Schedule) -> Iterator[str]:
    policy = schedule.retry_policy
    numbers = (
        ("flexible_window_minutes", schedule.flexible_window_minutes, 0, MAX_FLEXIBLE_WINDOW_MINUTES),
        ("retry_policy.maximum_retry_attempts", policy.maximum_retry_attempts, 0, MAX_RETRY_ATTEMPTS),
        (
            "retry_policy.maximum_event_age_seconds",
            policy.maximum_event_age_seconds,
            MIN_EVENT_AGE_SECONDS,
            MAX_EVENT_AGE_SECONDS,
        ),
    )
    for where, number, least, most in numbers:
        if not least <= number <= most:
            yield f"{where}: {number:,} is not {least:,} to {most:,}. Give an integer in this range."


def _of_deadline(schedule: Schedule) -> Iterator[str]:
    deadline = schedule.start_deadline_seconds
    if deadline is None:
        return
    window = timedelta(minutes=schedule.flexible_window_minutes) + PRECISION
    if timedelta(seconds=deadline) <= window:
        yield (
            f"start_deadline_seconds: {deadline:,} may end before a run is sent, within its minute and the flexible "
            f"window of {schedule.flexible_window_minutes:,} minutes: runs would be skipped. "
            f"Give more than {window.total_seconds():,.0f}, or None."
        )
