"""Decision to run or skip a schedule's run: overlap and missed-run rules.

Asked at the start of the run's execution, and answered once: the answer stays with the run's record, so that
an attempt after the first, or a redrive, gets the same.

Of two runs of one schedule that start at once, the one that asks first goes on, whichever was due first: it
may have begun its work, and that cannot be taken back.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from qu_workflows.protocol.execution_names import ScheduledRun, scheduled_run_of, split_attempt
from qu_workflows.protocol.project import registered_project
from qu_workflows.protocol.schedule import Overlap, Schedule
from qu_workflows.records.locks import take_turn
from qu_workflows.records.models import WAITING, TaskRecord, TaskStatus
from qu_workflows.records.running_since import running_since
from qu_workflows.tasks.registry import find_entry

SKIPPED = "skipped"  # the one key of a skipped run's result


def reason_to_skip(task_id: str) -> str | None:
    """Return why this run is not to do its work, or None for one that goes on.

    Only the first attempt of a known schedule's run is ever skipped: a restart is a person's wish, and so is any
    other id. Safe to repeat: the first answer is kept in the run's record, which is made if there is none.
    A skipped run's record has ``{"skipped": why}`` as its result.
    """
    run = scheduled_run_of(task_id)
    schedule = registered_project().schedules_by_name.get(run.schedule) if run else None
    if run is None or schedule is None or run.attempt > 1:
        return None
    with transaction.atomic():
        take_turn(f"the runs of {schedule.name}")
        record = _record_of(task_id, schedule)
        if record.returned_at is not None or record.last_attempted_at is not None:
            return _earlier_answer(record)
        now = timezone.now()
        reason = _missed(schedule, run, now) or _overlaps(schedule, record, now)
        _keep(record, reason, now)
    return reason


def origin_of(task_id: str) -> dict[str, Any]:
    """Return what an id says of where its record comes from: the fields ``schedule`` and ``attempt_of``."""
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


def _earlier_answer(record: TaskRecord) -> str | None:
    """Return what was answered before: a run that was skipped has a result, but was never worked on."""
    result: Any = record.result
    return None if record.last_attempted_at is not None else str(result[SKIPPED])


def _missed(schedule: Schedule, run: ScheduledRun, now: datetime) -> str | None:
    if schedule.start_deadline_seconds is None:
        return None
    deadline = run.scheduled_at + timedelta(seconds=schedule.start_deadline_seconds)
    if now <= deadline:
        return None
    return f"Due at {_shown(run.scheduled_at)}, to begin by {_shown(deadline)}, it could begin at {_shown(now)}."


def run_at_work(schedule: Schedule, workflow: str, now: datetime, but: str = "") -> tuple[str, datetime] | None:
    """Return the id of a run of a schedule that is at its work, and since when; None if there is none.

    ``but`` is the id of one that does not count. One that never reported its end counts until the time limit of the
    workflow.
    """
    can_run_since = now - timedelta(seconds=registered_project().timeout_seconds.get(workflow, 0))
    others = TaskRecord.objects.filter(schedule=schedule.name, status=TaskStatus.RUNNING, returned_at=None)
    # A scheduled run is at work once it was let go on; one that a person asked for, from its event on.
    undecided = {"last_attempted_at": None, "attempt_of": "", "pk__startswith": f"{schedule.name}-"}
    working = others.exclude(pk=but).exclude(**undecided)
    since = working.annotate(since=running_since()).filter(since__gte=can_run_since)
    return since.order_by("since").values_list("pk", "since").first()


def _overlaps(schedule: Schedule, record: TaskRecord, now: datetime) -> str | None:
    if schedule.overlap is Overlap.ALLOW:
        return None
    other = run_at_work(schedule, record.workflow, now, but=record.pk)
    if other is None:
        return None
    return f"{other[0]} of the same schedule has not ended; it runs since {_shown(other[1])}."


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
