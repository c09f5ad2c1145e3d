"""Changes a schedule: pause, resume, run now.

Pausing sets a schedule's State to DISABLED; runs missed meanwhile are not made up for.
https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html
"""

from datetime import datetime, timedelta
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from qu_workflows.aws import clients as aws
from qu_workflows.aws.queues import runs_on_worker
from qu_workflows.protocol.catalog import CatalogEntry
from qu_workflows.protocol.errors import MessageRejected
from qu_workflows.protocol.execution_names import scheduled_id
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused
from qu_workflows.protocol.schedule import Overlap, Schedule
from qu_workflows.records.audit import audited
from qu_workflows.records.models import WAITING, AuditAction, TaskRecord, TaskStatus
from qu_workflows.records.queries import take_turn
from qu_workflows.schedules.deployed import (
    DeployedState,
    expire_deployed_states,
    get_schedule,
    scheduler_failed,
    worker_state,
)
from qu_workflows.schedules.models import ScheduleState
from qu_workflows.schedules.queries import find_schedule
from qu_workflows.tasks.queries import find_entry, run_in_progress
from qu_workflows.tasks.services import new_record, send_later

# A run started by hand that is on its way counts as in progress, so that two clicks are not two runs.
ON_ITS_WAY = timedelta(minutes=5)
type State = Literal["ENABLED", "DISABLED"]
# All parameters of UpdateSchedule: it resets omitted ones to their defaults.
_UPDATABLE = (
    "ActionAfterCompletion",
    "Description",
    "EndDate",
    "FlexibleTimeWindow",
    "GroupName",
    "KmsKeyArn",
    "Name",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "StartDate",
    "Target",
)


def pause(name: str, actor: str) -> str:
    """Pause a schedule and return the result as a sentence. Raises OperationRefused."""
    return _set_state(name, actor, AuditAction.PAUSE_SCHEDULE, "DISABLED")


def resume(name: str, actor: str) -> str:
    """Resume a schedule and return the result as a sentence. Raises OperationRefused."""
    return _set_state(name, actor, AuditAction.RESUME_SCHEDULE, "ENABLED")


def why_not_run_now(name: str) -> OperationRefused | None:
    """Return why ``run_now`` would refuse a schedule, or None."""
    schedule = find_schedule(name)
    try:
        _entry_to_run(schedule)
    except OperationRefused as why:
        return why
    return None


def run_now(name: str, actor: str) -> TaskRecord:
    """Enqueue a schedule's task with its payload, once, and return the record.

    Also runs a paused schedule. The run replaces no scheduled run, because its id has no scheduled time; with
    Overlap.SKIP it is refused while another run is in progress, and scheduled runs are skipped meanwhile. Raises
    OperationRefused.
    """
    schedule = find_schedule(name)
    with audited(actor, AuditAction.RUN_SCHEDULE, name) as entry:
        with transaction.atomic():
            take_turn(f"the runs of {name}")
            record = _new_record(schedule, _entry_to_run(schedule))
            record.save(force_insert=True)
            send_later([record])
        entry.details["task_id"] = record.pk
        record.refresh_from_db()
        entry.message = f"runs as {record.pk}"
        if record.status == TaskStatus.READY:
            entry.message += f", which is recorded and not sent yet {record.last_send_error}".rstrip()
    return record


def scheduled_record(schedule: Schedule, scheduled_at: datetime) -> TaskRecord:
    """Return the unsaved record of a scheduled run. Raises OperationRefused."""
    entry = find_entry(schedule.task)
    if entry is None:
        raise OperationRefused(
            schedule.name, f"there is no task {schedule.task} today.", "Register it and run make states."
        )
    record = _new_record(schedule, entry)
    record.pk = scheduled_id(schedule.name, scheduled_at)
    return record


def _entry_to_run(schedule: Schedule) -> CatalogEntry:
    """Return a schedule's task. Raises OperationRefused without one, or if another run is in progress."""
    entry = find_entry(schedule.task)
    if entry is None:
        raise OperationRefused(
            schedule.name, f"its task {schedule.task} does not exist.", "Register it and run make states."
        )
    if schedule.overlap is Overlap.ALLOW:
        return entry
    now = timezone.now()
    in_progress = run_in_progress(schedule, entry.workflow, now)
    if in_progress is not None:
        why = f"its run {in_progress[0]} has not ended, and it allows one at a time."
        raise OperationRefused(schedule.name, why, "Wait until that ends, or stop it first.")
    since = now - ON_ITS_WAY
    on_its_way = TaskRecord.objects.filter(schedule=schedule.name, status__in=WAITING, enqueued_at__gte=since).first()
    if on_its_way is not None:
        why = f"its run {on_its_way.pk} is on its way, and it allows one at a time."
        raise OperationRefused(schedule.name, why, "Wait until that ends.")
    return entry


def _new_record(schedule: Schedule, entry: CatalogEntry) -> TaskRecord:
    try:
        return new_record(entry, dict(schedule.payload), schedule=schedule.name)
    except (MessageRejected, TypeError) as error:
        raise OperationRefused(
            schedule.name, f"its payload does not fit the task: {error}", "Fix it in workflows/schedules.py."
        ) from None


def _set_state(name: str, actor: str, action: AuditAction, state: State) -> str:
    schedule = find_schedule(name)
    with audited(actor, action, name, details={"group": settings.AWS_SCHEDULES_GROUP_NAME}) as entry:
        try:
            entry.message = _update(schedule, state)
        finally:
            expire_deployed_states()
        return entry.message


def _update(schedule: Schedule, state: State) -> str:
    """Set a schedule's State, and all other parameters to their current values."""
    word = "paused" if state == "DISABLED" else "running"
    if runs_on_worker():
        return _update_at_worker(schedule, word, is_paused=state == "DISABLED")
    found = get_schedule(schedule)
    if found.get("State") == state:
        raise OperationRefused(schedule.name, f"is already {word}.", "Nothing was changed.")
    body = {key: found[key] for key in _UPDATABLE if found.get(key) is not None}
    try:
        aws.scheduler().update_schedule(**body, State=state)
        became = get_schedule(schedule).get("State")
    except (ClientError, BotoCoreError) as error:
        raise scheduler_failed(error) from error
    if became != state:
        raise OperationFailed(
            schedule.name, f"is {became} after the change.", "It was changed elsewhere; check it again."
        )
    return f"{schedule.name} is {word} now"


def _update_at_worker(schedule: Schedule, word: str, *, is_paused: bool) -> str:
    if (worker_state(schedule.name).state is DeployedState.PAUSED) == is_paused:
        raise OperationRefused(schedule.name, f"is {word} already.", "Nothing was changed.")
    ScheduleState.objects.update_or_create(
        pk=schedule.name, defaults={"is_paused": is_paused, "changed_at": timezone.now()}
    )
    return f"{schedule.name} is {word} now"
