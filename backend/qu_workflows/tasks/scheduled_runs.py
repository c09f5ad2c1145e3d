"""Decision to run or skip a schedule's run: overlap and missed-run rules.

The decision is made once, at the start of the run's execution, and kept in its record for retries and redrives.
Of two runs of one schedule that start at once, the first to take the lock runs, whichever was due first.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from qu_workflows.protocol.execution_names import ScheduledRun, scheduled_run_of, split_attempt
from qu_workflows.protocol.project import registered_project
from qu_workflows.protocol.schedule import Overlap, Schedule
from qu_workflows.records.models import WAITING, TaskRecord, TaskStatus
from qu_workflows.records.queries import running_since, take_turn
from qu_workflows.tasks.registry import find_entry

SKIPPED = "skipped"  # the only key of a skipped run's result


def reason_to_skip(task_id: str) -> str | None:
    """Return why this run is skipped, or None if it runs.

    Only the first attempt of a declared schedule's run is ever skipped; a restart never is. Safe to repeat: the
    decision is kept in the run's record, whose result is ``{"skipped": why}`` if it is skipped.
    """
    run = scheduled_run_of(task_id)
    schedule = registered_project().schedules_by_name.get(run.schedule) if run else None
    if run is None or schedule is None or run.attempt > 1:
        return None
    with transaction.atomic():
        take_turn(f"the runs of {schedule.name}")
        record = _record_of(task_id, schedule)
        if record.returned_at is not None or record.last_attempted_at is not None:
            decided: Any = record.result
            return None if record.last_attempted_at is not None else str(decided[SKIPPED])
        now = timezone.now()
        reason = _missed(schedule, run, now) or _overlaps(schedule, record, now)
        _keep(record, reason, now)
    return reason


def origin_of(task_id: str) -> dict[str, Any]:
    """Return the record fields that follow from a task id: ``schedule`` and ``attempt_of``."""
    run = scheduled_run_of(task_id)
    first, attempt = split_attempt(task_id)
    return {"schedule": run.schedule if run else "", "attempt_of": first if attempt > 1 else ""}


def _record_of(task_id: str, schedule: Schedule) -> TaskRecord:
    entry = find_entry(schedule.task)
    unrecorded = {
        "task": schedule.task,
        "workflow": entry.workflow if entry else "",
        "payload": dict(schedule.payload),
        "status": TaskStatus.SENT,
        "enqueued_at": timezone.now(),
        **origin_of(task_id),
    }
    record, _ = TaskRecord.objects.select_for_update().get_or_create(pk=task_id, defaults=unrecorded)
    return record


def _missed(schedule: Schedule, run: ScheduledRun, now: datetime) -> str | None:
    if schedule.start_deadline_seconds is None:
        return None
    deadline = run.scheduled_at + timedelta(seconds=schedule.start_deadline_seconds)
    if now <= deadline:
        return None
    return f"It was due at {_shown(run.scheduled_at)} and had to start by {_shown(deadline)}; it was {_shown(now)}."


def run_in_progress(schedule: Schedule, workflow: str, now: datetime, but: str = "") -> tuple[str, datetime] | None:
    """Return the id and start of a schedule's run in progress, None without one.

    ``but`` is a task id to leave out. A run that never reported its end counts until the workflow's time limit.
    """
    can_run_since = now - timedelta(seconds=registered_project().timeout_seconds.get(workflow, 0))
    others = TaskRecord.objects.filter(schedule=schedule.name, status=TaskStatus.RUNNING, returned_at=None)
    # A scheduled run is in progress once it was not skipped; a run started by hand, once its event arrived.
    undecided = {"last_attempted_at": None, "attempt_of": "", "pk__startswith": f"{schedule.name}-"}
    working = others.exclude(pk=but).exclude(**undecided)
    since = working.annotate(since=running_since()).filter(since__gte=can_run_since)
    return since.order_by("since").values_list("pk", "since").first()


def _overlaps(schedule: Schedule, record: TaskRecord, now: datetime) -> str | None:
    if schedule.overlap is Overlap.ALLOW:
        return None
    other = run_in_progress(schedule, record.workflow, now, but=record.pk)
    if other is None:
        return None
    return f"{other[0]} of the same schedule has been running since {_shown(other[1])}."


def _keep(record: TaskRecord, reason: str | None, now: datetime) -> None:
    record.started_at = record.started_at or now
    if record.status in WAITING:
        record.status = TaskStatus.RUNNING
    if reason is None:
        record.last_attempted_at = now
    else:
        record.result, record.returned_at = {SKIPPED: reason}, now
    record.save()


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
