"""The deployed schedules: how each stands at EventBridge Scheduler, and to pause, resume or run one now.

Pausing sets a schedule's State to DISABLED, and what it would have run meanwhile is not made up for. CloudFormation
knows nothing of it: a deploy that changes the schedule's resource sets its State to what the parameter SchedulesState
says, one that does not leaves the schedule as it is.
https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from threading import Lock
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from qu_workflows.aws import clients as aws
from qu_workflows.aws.queues import queue_arn
from qu_workflows.protocol.catalog import CatalogEntry
from qu_workflows.protocol.errors import MessageRejected
from qu_workflows.protocol.message import write_scheduled_message
from qu_workflows.protocol.project import registered_project
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused
from qu_workflows.protocol.schedule import Overlap, Schedule
from qu_workflows.records.audit import audited
from qu_workflows.records.locks import take_turn
from qu_workflows.records.models import WAITING, AuditAction, TaskRecord, TaskStatus
from qu_workflows.tasks.queries import find_entry, run_at_work
from qu_workflows.tasks.services import TaskRequest, new_record, send_later

KEPT_SECONDS = 10.0
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


class DeployedState(StrEnum):
    """What EventBridge Scheduler says of a schedule; UNKNOWN while it says nothing."""

    RUNNING = "running"
    PAUSED = "paused"
    NOT_DEPLOYED = "not_deployed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Difference:
    """In what a deployed schedule is not as it is declared."""

    what: str
    declared: str
    deployed: str


@dataclass(frozen=True)
class Deployed:
    """How a schedule stands at EventBridge Scheduler. ``why`` says why that is not known, or why it is not there."""

    state: DeployedState
    differences: tuple[Difference, ...] = ()
    changed_at: datetime | None = None
    why: str = ""


class DeployedSchedules:
    """What EventBridge Scheduler said, kept for some seconds for all who look. For any number of threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, Lock()
        self._kept: dict[str, tuple[float, Deployed]] = {}

    def states(self, schedules: Iterable[Schedule]) -> dict[str, Deployed]:
        """Return how schedules stand, by their names. Raises nothing; once AWS was not reached, it asks no more."""
        with self._lock:
            states: dict[str, Deployed] = {}
            unreached: Deployed | None = None
            for schedule in schedules:
                states[schedule.name] = unreached or self._state(schedule)
                unreached = states[schedule.name] if states[schedule.name].state is DeployedState.UNKNOWN else None
            return states

    def forget(self) -> None:
        """Ask anew at the next look: something was changed."""
        with self._lock:
            self._kept.clear()

    def _state(self, schedule: Schedule) -> Deployed:
        until, kept = self._kept.get(schedule.name, (0.0, None))
        if kept is None or self._clock() >= until:
            kept = _asked(schedule)
            self._kept[schedule.name] = (self._clock() + KEPT_SECONDS, kept)
        return kept


deployed_schedules = DeployedSchedules()


def find_schedule(name: str) -> Schedule:
    """Return the declared schedule of a name. Raises OperationRefused."""
    schedule = registered_project().schedules_by_name.get(name)
    if schedule is None:
        raise OperationRefused(
            name[:80],
            "is no schedule of workflows/schedules.py.",
            f"There are {', '.join(registered_project().schedules_by_name)}.",
        )
    return schedule


def deployed_state(name: str) -> Deployed:
    """Return how a schedule stands. Raises OperationRefused for one that is not declared, and for nothing else."""
    return deployed_schedules.states([find_schedule(name)])[name]


def pause(name: str, actor: str) -> str:
    """Have a schedule run no more until it is resumed, and return what was done. Raises OperationRefused."""
    return _set_state(name, actor, AuditAction.PAUSE_SCHEDULE, "DISABLED")


def resume(name: str, actor: str) -> str:
    """Have a paused schedule run again, and return what was done. Raises OperationRefused."""
    return _set_state(name, actor, AuditAction.RESUME_SCHEDULE, "ENABLED")


def why_not_run_now(name: str) -> OperationRefused | None:
    """Return why a schedule's task is not run at this moment, None if it would be."""
    schedule = find_schedule(name)
    entry = find_entry(schedule.task)
    if entry is None:
        return OperationRefused(name, f"there is no task {schedule.task} today.", "Register it and run make states.")
    return _why_not_now(schedule, entry)


def run_now(name: str, actor: str) -> TaskRecord:
    """Enqueue a schedule's task with the schedule's payload, once, now, and return its record.

    Its id is a task's, not that of a run at a time, so it takes no scheduled run's place. It counts as a run of the
    schedule: one that comes while it works is skipped, where the schedule says so; and where it says so, this is
    refused while another works. A paused schedule is run too. Raises OperationRefused.
    """
    schedule = find_schedule(name)
    with audited(actor, AuditAction.RUN_SCHEDULE, name) as entry:
        record = _recorded(schedule)
        entry.details["task_id"] = record.pk
        record.refresh_from_db()
        entry.message = f"runs as {record.pk}"
        if record.status == TaskStatus.READY:
            entry.message += f", which is recorded and has not left yet {record.last_send_error}".rstrip()
    return record


def _recorded(schedule: Schedule) -> TaskRecord:
    entry = find_entry(schedule.task)
    if entry is None:
        raise OperationRefused(
            schedule.name, f"there is no task {schedule.task} today.", "Register it and run make states."
        )
    with transaction.atomic():
        take_turn(f"the runs of {schedule.name}")
        why = _why_not_now(schedule, entry)
        if why is not None:
            raise why
        record = _new_record(schedule, entry)
        record.save(force_insert=True)
        send_later([record])
    return record


def _new_record(schedule: Schedule, entry: CatalogEntry) -> TaskRecord:
    try:
        record = new_record(TaskRequest(entry=entry, payload=dict(schedule.payload)))
    except (MessageRejected, TypeError) as error:
        raise OperationRefused(
            schedule.name, f"its payload does not fit the task: {error}", "Mend it in workflows/schedules.py."
        ) from None
    record.schedule = schedule.name
    return record


def _why_not_now(schedule: Schedule, entry: CatalogEntry) -> OperationRefused | None:
    if schedule.overlap is Overlap.ALLOW:
        return None
    now = timezone.now()
    at_work = run_at_work(schedule, entry.workflow, now)
    if at_work is not None:
        return OperationRefused(
            schedule.name,
            f"{at_work[0]} of it has not ended, and it takes one run at a time.",
            "Wait for its end, or stop it first.",
        )
    on_its_way = TaskRecord.objects.filter(
        schedule=schedule.name, status__in=WAITING, enqueued_at__gte=now - ON_ITS_WAY
    )
    waiting = on_its_way.values_list("pk", flat=True).first()
    if waiting is None:
        return None
    return OperationRefused(
        schedule.name, f"{waiting} of it is on its way, and it takes one run at a time.", "Wait for it."
    )


def _set_state(name: str, actor: str, action: AuditAction, state: State) -> str:
    schedule = find_schedule(name)
    with audited(actor, action, name, details={"group": settings.AWS_SCHEDULES_GROUP_NAME}) as entry:
        try:
            entry.message = _updated(schedule, state)
        finally:
            deployed_schedules.forget()
        return entry.message


def _updated(schedule: Schedule, state: State) -> str:
    """Set a schedule's State and leave all else as it is; UpdateSchedule takes the whole of it."""
    found = _get(schedule)
    word = "paused" if state == "DISABLED" else "running"
    if found.get("State") == state:
        raise OperationRefused(schedule.name, f"is {word} already.", "Nothing was changed.")
    body = {key: found[key] for key in _UPDATABLE if found.get(key) is not None}
    try:
        aws.scheduler().update_schedule(**body, State=state)
        became = _get(schedule).get("State")
    except (ClientError, BotoCoreError) as error:
        raise _failed(error) from error
    if became != state:
        raise OperationFailed(schedule.name, f"is {became} after the change.", "Somebody changed it too; look again.")
    return f"{schedule.name} is {word} now"


def _get(schedule: Schedule) -> Mapping[str, Any]:
    if not settings.USE_ASYNC_TASKS:
        raise OperationRefused(
            schedule.name,
            "is deployed nowhere: USE_ASYNC_TASKS is off.",
            "Run it now instead; nothing runs it by time.",
        )
    client = aws.scheduler()
    try:
        return client.get_schedule(GroupName=settings.AWS_SCHEDULES_GROUP_NAME, Name=schedule.name)
    except client.exceptions.ResourceNotFoundException:
        raise _NotDeployed(
            schedule.name,
            f"is not in the schedule group {settings.AWS_SCHEDULES_GROUP_NAME}.",
            "Deploy it, or set AWS_SCHEDULES_GROUP_NAME to the stack's output SchedulesGroupName.",
        ) from None
    except (ClientError, BotoCoreError) as error:
        raise _failed(error) from error


class _NotDeployed(OperationRefused):
    """EventBridge Scheduler has no schedule of this name in the group."""


def _failed(error: ClientError | BotoCoreError) -> OperationFailed:
    if isinstance(error, BotoCoreError):
        return OperationFailed(
            "EventBridge Scheduler", f"was not reached ({error}).", "Check the network and the credentials; try again."
        )
    code = str(error.response.get("Error", {}).get("Code", ""))
    text = str(error.response.get("Error", {}).get("Message", "")).rstrip(".")
    right = "Use credentials that have the policy of the output OperatorPolicyArn."
    remedy = right if code.startswith("AccessDenied") else "Try again; it is safe to."
    return OperationFailed("EventBridge Scheduler", f"answered {code}: {text}.", remedy)


def _asked(schedule: Schedule) -> Deployed:
    try:
        found = _get(schedule)
    except _NotDeployed as refused:
        return Deployed(DeployedState.NOT_DEPLOYED, why=str(refused))
    except OperationRefused as refused:
        return Deployed(DeployedState.UNKNOWN, why=str(refused))
    state = DeployedState.PAUSED if found.get("State") == "DISABLED" else DeployedState.RUNNING
    return Deployed(state, differences_of(schedule, found), found.get("LastModificationDate"))


def differences_of(schedule: Schedule, found: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return in what a schedule as GetSchedule has it is not as declared; its State apart, which is not declared."""
    target, policy = found.get("Target", {}), found.get("Target", {}).get("RetryPolicy", {})
    queue = queue_arn(settings.AWS_SQS_QUEUE_URL) if settings.AWS_SQS_QUEUE_URL else target.get("Arn")
    pairs = {
        "expression": (schedule.expression, found.get("ScheduleExpression")),
        "time zone": (schedule.time_zone, found.get("ScheduleExpressionTimezone", "UTC")),
        "window in minutes": (
            schedule.flexible_window_minutes,
            found.get("FlexibleTimeWindow", {}).get("MaximumWindowInMinutes", 0),
        ),
        "description": (schedule.description, found.get("Description", "")),
        "queue": (queue, target.get("Arn")),
        "message": (_as_json(write_scheduled_message(schedule)), _as_json(target.get("Input", ""))),
        "retries": (schedule.retry_policy.maximum_retry_attempts, policy.get("MaximumRetryAttempts", 185)),
        "age of a message in seconds": (
            schedule.retry_policy.maximum_event_age_seconds,
            policy.get("MaximumEventAgeInSeconds", 86_400),
        ),
    }
    return tuple(
        Difference(what, _shown(declared), _shown(deployed))
        for what, (declared, deployed) in pairs.items()
        if declared != deployed
    )


def _as_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
