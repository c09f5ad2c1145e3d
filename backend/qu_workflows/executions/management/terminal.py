"""Formats tasks and executions as lines of text and as JSON."""

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from qu_workflows.executions.histories import Event, History, StateEntry
from qu_workflows.executions.hooks import registered_hooks
from qu_workflows.executions.queries import Inspection
from qu_workflows.executions.search import TaskRow
from qu_workflows.records.json_values import printable, to_json

_MAX_ERROR, _MAX_DETAIL = 40, 200


def row_as_json(row: TaskRow) -> dict[str, Any]:
    """Return a row as JSON, with its duration and the days left to redrive it."""
    left = None if row.days_left is None else round(row.days_left, 2)
    return {**_task_as_json(row), "duration_seconds": row.seconds, "redrivable_days_left": left}


def inspection_as_json(found: Inspection) -> dict[str, Any]:
    """Return the details of a task as JSON."""
    attempts = [_task_as_json(row) for row in found.attempts]
    return {**to_json(found), "task": _task_as_json(found.task), "attempts": attempts}


def table(rows: Sequence[TaskRow]) -> list[str]:
    """Return rows as an aligned table."""
    subject = registered_hooks().subject.upper()
    heads = ("ID", "TASK", "STATUS", "ERROR", subject, "STARTED", "DURATION", "REDRIVABLE")
    return _aligned([heads, *map(_cells, rows)])


def inspected(found: Inspection) -> list[str]:
    """Return the details of a task: facts, attempts, current states, advice."""
    facts = _facts(found)
    lines = [f"{name + ':':<14}{printable(fact)}" for name, fact in facts.items() if fact]
    if len(found.attempts) > 1:
        lines += ["Attempts:", *(f"  {line}" for line in table(found.attempts))]
    if found.history and found.history.waiting:
        lines += ["Current states:", *(f"  {_current(entry, found.looked_at)}" for entry in found.history.waiting)]
    return [*lines, "Next actions:", *(f"  {sentence}" for sentence in found.advice)]


def states(history: History, now: datetime) -> list[str]:
    """Return a history as a table of state entries."""
    head = ("STATE", "ENTERED", "SECONDS", "TRIES", "ENDED")
    return _aligned([head, *(_entry_cells(entry, now) for entry in history.entries)])


def events(history: History) -> list[str]:
    """Return the events of a history, one per line."""
    return [_event_line(event) for event in history.events]


def duration(seconds: float | None) -> str:
    """Return a duration in seconds, from two minutes on as h:mm:ss."""
    if seconds is None:
        return "-"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return str(timedelta(seconds=round(seconds)))


def time_left(days: float | None) -> str:
    """Return the time left to redrive an execution."""
    if days is None:
        return "-"
    if days <= 0:
        return "expired"
    return f"{math.floor(days)} days" if days >= 2 else f"{max(1, math.floor(days * 24))} h"


def _task_as_json(row: TaskRow) -> dict[str, Any]:
    """Return a row as JSON, with the product's key for its subject: ``report_id``."""
    named = {"subject_id": f"{registered_hooks().subject}_id"}
    given = to_json(row).items()
    return {named.get(name, name): value for name, value in given if name not in ("attempt", "seconds", "days_left")}


def _facts(found: Inspection) -> dict[str, str]:
    task, description = found.task, found.description
    facts = {
        "Task": f"{task.task} {task.id}",
        "Workflow": task.workflow,
        "Status": task.status,
        registered_hooks().subject.capitalize(): str(task.subject_id or ""),
        "Schedule": task.schedule,
        "Enqueued": _at(task.enqueued_at),
        "Started": _at(task.started_at),
        "Finished": _at(task.finished_at),
        "Duration": duration(task.seconds) if task.started_at else "",
        "Error": f"{task.error}: {found.cause[:_MAX_DETAIL]}" if task.error else "",
        "Sending": found.last_send_error,
        "Execution": found.execution_arn,
        "Redrivable": time_left(task.days_left) if task.redrivable_until else "",
    }
    if found.unanswered:
        facts["AWS"] = found.unanswered
    if description:
        facts |= {
            "AWS": description.status,
            "Version": description.version_arn,
            "Redrives": str(description.redrive_count),
            "Redrive": " ".join(filter(None, (description.redrive_status, description.redrive_status_reason))),
        }
    if found.history:
        facts["Events"] = f"{len(found.history.events):,} of 25,000"
    return facts


def _current(entry: StateEntry, now: datetime) -> str:
    since = entry.waiting_since or entry.entered_at
    limits = [
        f"{word} {duration(seconds)}"
        for word, seconds in (("timeout", entry.timeout_seconds), ("heartbeat", entry.heartbeat_seconds))
        if seconds is not None
    ]
    limit = f" ({', '.join(limits)})" if limits else ""
    for_long = duration((now - since).total_seconds())
    return f"{entry.label}: {entry.outcome.value} since {_at(since)}, {for_long}{limit}"


def _cells(row: TaskRow) -> tuple[str, ...]:
    return (
        row.id,
        row.task,
        row.status,
        row.error[:_MAX_ERROR] or "-",
        str(row.subject_id or "-"),
        _at(row.started_at) or "-",
        duration(row.seconds),
        time_left(row.days_left),
    )


def _entry_cells(entry: StateEntry, now: datetime) -> tuple[str, ...]:
    ended = entry.outcome.value
    if entry.error and entry.ended_at:
        ended += f" {entry.error}" if ended != "succeeded" else f", after {entry.error}"
    if entry.redrives:
        ended += f" (redriven {entry.redrives}x)"
    depth = "  " * len(entry.place)
    return depth + entry.label, _at(entry.entered_at), f"{entry.seconds(now):.3f}", str(entry.tries or "-"), ended


def _event_line(event: Event) -> str:
    details = ", ".join(f"{name}={printable(str(value))[:_MAX_DETAIL]}" for name, value in event.details.items())
    at = event.at.astimezone(UTC)
    return f"{event.id:>6} {at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03} {event.type} {details}".rstrip()


def _at(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}" if moment else ""


def _aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    clean = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*clean, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in clean]
