"""Changes a schedule: pause, resume, run now.

Pausing sets a schedule's State to DISABLED, and what it would have run meanwhile is not made up for.
https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html
"""

from datetime import timedelta
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from qu_workflows.aws import clients as aws
from qu_workflows.protocol.catalog import CatalogEntry
from qu_workflows.protocol.errors import MessageRejected
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused
from qu_workflows.protocol.schedule import Overlap, Schedule
from qu_workflows.records.audit import audited
from qu_workflows.records.models import WAITING, AuditAction, TaskRecord, TaskStatus
from qu_workflows.records.queries import take_turn
from qu_workflows.schedules.deployed import expire_deployed_states, get_schedule, scheduler_failed
from qu_workflows.schedules.queries import find_schedule
from qu_workflows.tasks.queries import find_entry, run_in_progress
from qu_workflows.tasks.services import new_record, send_later

# A run that was asked for and is on its way counts as one, so that two clicks are not two runs.
ON_ITS_WAY = timedelta(minutes=5)
type State = Literal["ENABLED", "DISABLED"]
# All that UpdateSchedule takes: what is left out is set to its default.
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
    """Have a schedule run no more until it is resumed, and return what was done. Raises OperationRefused."""
    return _set_state(name, actor, AuditAction.PAUSE_SCHEDULE, "DISABLED")


def resume(name: str, actor: str) -> str:
    """Have a paused schedule run again, and return what was done. Raises OperationRefused."""
    return _set_state(name, actor, AuditAction.RESUME_SCHEDULE, "ENABLED")


def why_not_run_now(name: str) -> OperationRefused | None:
    """Return why a schedule's task is not run at this moment, None if it would be."""
    schedule = find_schedule(name)
    try:
        _entry_to_run(schedule)
    except OperationRefused as why:
        return why
    return None


def run_now(name: str, actor: str) -> TaskRecord:
    """Enqueue a schedule's task with the schedule's payload, once, now, and return its record.

    Its id is a task's, not that of a run at a time, so it takes no scheduled run's place. It counts as a run of the
    schedule: one that comes while it works is skipped, where the schedule says so; and where it says so, this is
    refused while another works. A paused schedule is run too. Raises OperationRefused.
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
            entry.message += f", which is recorded and has not left yet {record.last_send_error}".rstrip()
    return record


def _entry_to_run(schedule: Schedule) -> CatalogEntry:
    """Return a schedule's task. Raises OperationRefused where there is none, or another run is not over."""
    entry = find_entry(schedule.task)
    if entry is None:
        raise OperationRefused(
            schedule.name, f"there is no task {schedule.task} today.", "Register it and run make states."
        )
    if schedule.overlap is Overlap.ALLOW:
        return entry
    now = timezone.now()
    at_work = run_in_progress(schedule, entry.workflow, now)
    if at_work is not None:
        raise OperationRefused(
            schedule.name,
            f"{at_work[0]} of it has not ended, and it takes one run at a time.",
            "Wait for its end, or stop it first.",
        )
    since = now - ON_ITS_WAY
    on_its_way = TaskRecord.objects.filter(schedule=schedule.name, status__in=WAITING, enqueued_at__gte=since).first()
    if on_its_way is not None:
        why = f"{on_its_way.pk} of it is on its way, and it takes one run at a time."
        raise OperationRefused(schedule.name, why, "Wait for it.")
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
    """Set a schedule's State and leave all else as it is; UpdateSchedule takes the whole of it."""
    found = get_schedule(schedule)
    word = "paused" if state == "DISABLED" else "running"
    if found.get("State") == state:
        raise OperationRefused(schedule.name, f"is {word} already.", "Nothing was changed.")
    body = {key: found[key] for key in _UPDATABLE if found.get(key) is not None}
    try:
        aws.scheduler().update_schedule(**body, State=state)
        became = get_schedule(schedule).get("State")
    except (ClientError, BotoCoreError) as error:
        raise scheduler_failed(error) from error
    if became != state:
        raise OperationFailed(schedule.name, f"is {became} after the change.", "Somebody changed it too; look again.")
    return f"{schedule.name} is {word} now"
