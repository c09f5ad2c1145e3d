"""Content for the console: a day of tasks, samples, actions, alerts and reports.

Everything here is written to the database, and what is wanted of it is returned. ``fill`` makes records in bulk,
which have no execution at Step Functions: what has one is made by ``running.Workflows``.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from django.db import connection
from django.utils import timezone
from uuid6 import uuid7

from qu_workflows.protocol.execution_names import new_task_id, scheduled_id
from qu_workflows.records.models import (
    Alert,
    AuditAction,
    AuditEntry,
    AuditOutcome,
    ExecutionSample,
    TaskRecord,
    TaskStatus,
)
from reports.models import GuardReport
from tests.backend.people import make_file, make_guard, make_property, make_report, make_shift, make_user
from tests.backend.qu_workflows.console.running import PREFIX, DatabaseUnavailable, Workflows, raising

_ARN = f"arn:aws:states:us-east-2:000000000000:execution:{PREFIX}-"
MARKUP = '<img src=x onerror="document.title=1"><script>document.title=1</script>'
# (task, workflow, share of all, usual seconds)
_TASKS: tuple[tuple[str, str, float, float], ...] = (
    ("process_guard_report", "guard_report", 0.55, 9.0),
    ("send_notification_email", "notification_email", 0.25, 1.4),
    ("escalate_incident", "incident_escalation", 0.05, 240.0),
    ("custom_processing", "run_task", 0.15, 0.6),
)
_ERRORS = {
    "guard_report": ("DatabaseUnavailable", "StorageUnavailable", "KeyError"),
    "notification_email": ("EmailServiceUnavailable", "TemplateInvalid"),
    "incident_escalation": ("RecipientNotFound",),
    "run_task": ("ZeroDivisionError", "OperationalError"),
}
# The states of an execution in order, each with its number of entries.
_WAYS: dict[str, tuple[tuple[str, str, int], ...]] = {
    "guard_report": (
        ("Load Report", "Task", 1),
        ("Process Files", "Map", 1),
        ("Inspect File", "Task", 3),
        ("By Kind", "Choice", 3),
        ("Make Thumbnails", "Task", 3),
        ("File Accepted", "Pass", 3),
        ("Record Report", "Task", 1),
        ("Notify People", "Map", 1),
        ("Render Email", "Task", 2),
        ("Send Email", "Task", 2),
        ("Person Notified", "Pass", 2),
        ("Summarize", "Pass", 1),
    ),
    "notification_email": (("Render Email", "Task", 1), ("Send Email", "Task", 1)),
    "incident_escalation": (("Choose Person", "Task", 1), ("Render Email", "Task", 1), ("Send Email", "Task", 1)),
    "run_task": (("Run Task", "Task", 1),),
}
# What follows what, where the two do not stand side by side above.
_OUTSIDE = {("Process Files", "Record Report"), ("Record Report", "Notify People"), ("Notify People", "Summarize")}
_INSIDE = {("Process Files", "Inspect File"), ("File Accepted", "Record Report"), ("Notify People", "Render Email")}
_INSIDE |= {("Person Notified", "Summarize")}


@dataclass
class Day:
    """A day of tasks. Every text of the record ``markup`` is HTML."""

    failed: TaskRecord
    succeeded: TaskRecord
    running: TaskRecord
    caught: TaskRecord
    markup: TaskRecord
    reports: list[GuardReport] = field(default_factory=list)


def fill(count: int, *, hours: float = 24.0, seed: int = 7, ends: datetime | None = None) -> list[TaskRecord]:
    """Save ``count`` records of tasks enqueued within the last hours."""
    now, draw = ends or timezone.now(), random.Random(seed)  # noqa: S311  no secret
    made = [_record(now - timedelta(hours=hours * draw.random()), draw, now) for _ in range(count)]
    return TaskRecord.objects.bulk_create(made, batch_size=1000)


def fill_many(count: int, *, hours: float = 24.0 * 14) -> None:
    """Save many records quickly: a thousand, and shifted copies made in the database."""
    fill(1000, hours=hours)
    columns = [str(each.column) for each in TaskRecord._meta.concrete_fields]
    shifted = {name: f"{name} - random() * interval '{hours} hours' * 0.01" for name in ("enqueued_at", "sent_at")}
    shifted["id"] = "gen_random_uuid()::text"
    chosen = ", ".join(shifted.get(column, column) for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO executions_taskrecord ({', '.join(columns)}) "  # noqa: S608  names of columns
            f"SELECT {chosen} FROM executions_taskrecord, generate_series(2, %s)",
            [count // 1000],
        )
        cursor.execute("ANALYZE")


def fill_schedules(runs: int = 60, ends: datetime | None = None) -> list[TaskRecord]:
    """Save the last runs of two schedules; every tenth was skipped."""
    now = (ends or timezone.now()).replace(second=0, microsecond=0)
    made = []
    for name, minutes in (("watch_stuck", 5), ("daily_report_digest", 24 * 60)):
        for number in range(1, 1 + (runs if minutes == 5 else 3)):
            at = now - timedelta(minutes=minutes * number)
            times = {"enqueued_at": at, "started_at": at, "finished_at": at + timedelta(seconds=0.8)}
            workflow = "daily_report_digest" if name == "daily_report_digest" else "run_task"
            made.append(
                TaskRecord(
                    pk=scheduled_id(name, at),
                    task=name,
                    workflow=workflow,
                    schedule=name,
                    status=TaskStatus.SUCCEEDED,
                    execution_arn=f"{_ARN}{workflow}:{scheduled_id(name, at)}",
                    result={"skipped": "The run before has not ended."} if number % 10 == 0 else {"sent": number},
                    **times,
                )
            )
    return TaskRecord.objects.bulk_create(made)


def sample(records: list[TaskRecord], limit: int = 400, seed: int = 11) -> list[ExecutionSample]:
    """Save samples of the histories of ended executions, as though they had been read."""
    draw = random.Random(seed)  # noqa: S311  no secret
    ended = [record for record in records if record.finished_at is not None][:limit]
    return ExecutionSample.objects.bulk_create([_sample(record, draw) for record in ended])


def fill_audit(count: int = 40, ends: datetime | None = None) -> None:
    """Save what people did: every act in every outcome."""
    now, actions, outcomes = ends or timezone.now(), list(AuditAction), list(AuditOutcome)
    AuditEntry.objects.bulk_create(
        AuditEntry(
            at=now - timedelta(minutes=17 * number),
            actor=f"operator-{number % 3 + 1}",
            action=actions[number % len(actions)],
            target=new_task_id(),
            batch=uuid7(),
            outcome=outcomes[number % len(outcomes)],
            message="" if number % 4 else "Step Functions lets it be redriven no more: it ended 15 days ago.",
            details={"reason": "Sent twice by the phone.", "token": "not-to-be-shown", "attempt": number},
        )
        for number in range(count)
    )


def alert(ends: datetime | None = None) -> Alert:
    """Save a closed alert and an open one."""
    now = ends or timezone.now()
    found = {"count": 3, "oldest": (now - timedelta(minutes=40)).isoformat(), "examples": []}
    Alert.objects.create(
        opened_at=now - timedelta(days=2), closed_at=now - timedelta(days=1), findings={"unsent": found}
    )
    return Alert.objects.create(opened_at=now - timedelta(minutes=30), mailed_at=now, findings={"dead_letters": found})


def a_day(workflows: Workflows, *, tasks: int = 300) -> Day:
    """Make a day with everything that the console shows."""
    report, broken, waiting, hostile = _reports()
    functions = workflows.functions
    functions.reports |= {
        report.pk: {"files": ["front-door.jpg", "patrol-log.pdf", "gate.jpg"], "people": 2},
        broken.pk: {"files": ["front-door.jpg", "broken.jpg"], "people": 1},
        hostile.pk: {"files": [f"{MARKUP}.jpg"], "people": 1},
    }
    records = fill(tasks)
    fill_schedules()
    sample(records)
    fill_audit()
    alert()
    unreachable = DatabaseUnavailable("PostgreSQL is not reached: connection refused. The redrive is safe to repeat.")
    hostile_error = DatabaseUnavailable(MARKUP)
    succeeded = workflows.ended(process(workflows, report))
    caught = workflows.ended(process(workflows, broken))
    functions.faults["record_report"] = raising(unreachable)
    failed = workflows.ended(process(workflows, report))
    functions.faults["record_report"] = raising(hostile_error)
    markup = workflows.ended(process(workflows, hostile, payload={"report_id": hostile.pk, "note": MARKUP}))
    del functions.faults["record_report"]
    running = workflows.started(workflows.start("escalate_incident", {"report_id": waiting.pk}))
    return Day(failed, succeeded, running, caught, markup, [report, broken, waiting, hostile])


def process(workflows: Workflows, report: GuardReport, **record: Any) -> TaskRecord:
    """Start the task of a report."""
    return workflows.start("process_guard_report", record.pop("payload", {"report_id": report.pk}), **record)


def _reports() -> Iterator[GuardReport]:
    """Make four reports: a normal one, a broken image, an incident, HTML."""
    supervisor = make_user("supervisor", first_name="Supervisor", last_name="1", is_staff=True)
    place = make_property(supervisor, name="Property 1", alias="Harbour gate")
    guard = make_guard()
    shift = make_shift(guard, place)
    common: dict[str, Any] = {"guard": guard, "property": place, "shift": shift}
    usual = make_report(note="The side door was open at 02:10; locked it.", **common)
    broken = make_report(note="The camera shows nothing.", **common)
    for report in (usual, broken):
        make_file(report)
    yield usual
    yield broken
    yield make_report(note="A window is broken.", is_incident=True, **common)
    hostile = make_guard(user=make_user("guard", first_name=MARKUP[:60], last_name="</script>"))
    yield make_report(hostile, note=MARKUP, property=place)


def _record(at: datetime, draw: random.Random, now: datetime) -> TaskRecord:
    task, workflow, _share, usual = draw.choices(_TASKS, [share for _t, _w, share, _u in _TASKS])[0]
    status = draw.choices(
        [TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.TIMED_OUT, TaskStatus.ABORTED], [93, 5, 1, 1]
    )[0]
    age = (now - at).total_seconds()
    seconds = usual * draw.lognormvariate(0, 0.6)
    if age < seconds + 30:
        status = draw.choice([TaskStatus.READY, TaskStatus.SENT, TaskStatus.RUNNING])
    is_over, error = status not in ("READY", "SENT", "RUNNING"), ""
    if status == TaskStatus.FAILED:
        error = draw.choice(_ERRORS[workflow])
    elif status == TaskStatus.TIMED_OUT:
        error = "States.Timeout"
    task_id = new_task_id()
    is_started = status not in ("READY", "SENT")
    report_id = draw.randrange(1, 4000) if workflow in ("guard_report", "incident_escalation") else None
    started_at = at + timedelta(seconds=draw.uniform(0.2, 4)) if is_started else None
    return TaskRecord(
        pk=task_id,
        task=task,
        workflow=workflow,
        payload={"report_id": report_id} if report_id else {"data": "example"},
        subject_id=report_id,
        status=status,
        enqueued_at=at,
        sent_at=None if status == TaskStatus.READY else at + timedelta(seconds=0.1),
        started_at=started_at,
        finished_at=started_at + timedelta(seconds=seconds) if started_at and is_over else None,
        execution_arn=f"{_ARN}{workflow}:{task_id}" if is_started else "",
        error=error,
        cause=f"{error}: said by the step." if error else "",
        redrive_count=int(draw.random() < 0.02),
    )


def _sample(record: TaskRecord, draw: random.Random) -> ExecutionSample:
    way = _WAYS.get(record.workflow, _WAYS["run_task"])
    entries = [_entry(name, kind, draw) for name, kind, times in way for _ in range(times)]
    if record.status != TaskStatus.SUCCEEDED:
        entries[-1] |= {"tries": 4, "outcome": "FAILED"}
    edges = {(one[0], other[0]): other[2] for one, other in pairwise(way)}
    if record.workflow == "guard_report":
        edges = {edge: times for edge, times in edges.items() if edge not in _INSIDE} | dict.fromkeys(_OUTSIDE, 1)
        edges["Load Report", "Process Files"] = 1
    return ExecutionSample(
        record=record,
        workflow=record.workflow,
        finished_at=record.finished_at or record.enqueued_at,
        redrive_count=record.redrive_count,
        entries=entries,
        edges=_nested(edges),
    )


def _nested(edges: dict[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (source, target), times in edges.items():
        nested.setdefault(source, {})[target] = times
    return nested


def _entry(name: str, kind: str, draw: random.Random) -> dict[str, Any]:
    is_task = kind == "Task"
    return {
        "state": name,
        "kind": kind,
        "seconds": round(draw.lognormvariate(0, 0.8) if kind in ("Task", "Map") else 0.001, 3),
        "tries": 1 + (draw.random() < 0.1) if is_task else 0,
        "outcome": "SUCCEEDED",
        "waits": False,
    }
