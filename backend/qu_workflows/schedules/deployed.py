"""The declared schedules at EventBridge Scheduler, cached for seconds: their states and their drift.

CloudFormation does not track a schedule's State: only a deploy that changes the schedule's resource sets its State, to
the parameter SchedulesState.
https://docs.aws.amazon.com/scheduler/latest/APIReference/API_GetSchedule.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from qu_workflows.aws import clients as aws
from qu_workflows.aws.queues import queue_arn, runs_on_worker
from qu_workflows.caching import PAGE_SECONDS, Cache, Cached
from qu_workflows.protocol.message import write_scheduled_message
from qu_workflows.protocol.project import registered_project
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused
from qu_workflows.protocol.schedule import Schedule
from qu_workflows.schedules.models import ScheduleState

KEPT_SECONDS = 10.0


class DeployedState(StrEnum):
    """The state of a schedule at EventBridge Scheduler; UNKNOWN without an answer."""

    RUNNING = "running"
    PAUSED = "paused"
    NOT_DEPLOYED = "not_deployed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Difference:
    """One value of a deployed schedule that differs from the declaration."""

    what: str
    declared: str
    deployed: str


@dataclass(frozen=True)
class DeployedSchedule:
    """A schedule at EventBridge Scheduler; ``why`` explains UNKNOWN and NOT_DEPLOYED."""

    state: DeployedState
    differences: tuple[Difference, ...] = ()
    changed_at: datetime | None = None
    why: str = ""


def deployed_states(wait_seconds: float = PAGE_SECONDS) -> Cached[Mapping[str, DeployedSchedule]]:
    """Return every declared schedule at EventBridge Scheduler by name. Raises nothing."""
    return _states.get(None, wait_seconds)


def deployed_state(name: str, known: Cached[Mapping[str, DeployedSchedule]] | None = None) -> DeployedSchedule:
    """Return one declared schedule, from the cache or from ``known``. Raises nothing."""
    known = known or deployed_states()
    return (known.value or {}).get(name) or DeployedSchedule(DeployedState.UNKNOWN, why=known.unanswered)


def refresh_deployed_states() -> None:
    """Start the read that ``deployed_states`` would wait for."""
    _states.refresh(None)


def expire_deployed_states() -> None:
    """Expire the cache after a schedule was changed."""
    _states.expire(None)


def forget_deployed_states() -> None:
    """Clear the cache."""
    _states.clear()


def get_schedule(schedule: Schedule) -> Mapping[str, Any]:
    """Return GetSchedule's answer. Raises OperationRefused, also for a schedule that is not deployed."""
    if not settings.USE_ASYNC_TASKS:
        raise OperationRefused(
            schedule.name,
            "is not deployed: USE_ASYNC_TASKS is off.",
            "Run it by hand; it does not run on schedule.",
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
        raise scheduler_failed(error) from error


def scheduler_failed(error: ClientError | BotoCoreError) -> OperationFailed:
    """Return the OperationFailed of an error of EventBridge Scheduler."""
    if isinstance(error, BotoCoreError):
        return OperationFailed(
            "EventBridge Scheduler", f"was not reached ({error}).", "Check the network and the credentials; try again."
        )
    code = str(error.response.get("Error", {}).get("Code", ""))
    text = str(error.response.get("Error", {}).get("Message", "")).rstrip(".")
    right = "Use credentials with the policy of the stack's output OperatorPolicyArn."
    remedy = right if code.startswith("AccessDenied") else "Try again; that is safe."
    return OperationFailed("EventBridge Scheduler", f"answered {code}: {text}.", remedy)


def worker_state(name: str) -> DeployedSchedule:
    """Return the state of a schedule that the worker runs."""
    kept = ScheduleState.objects.filter(pk=name).first()
    state = DeployedState.PAUSED if kept is not None and kept.is_paused else DeployedState.RUNNING
    return DeployedSchedule(state, changed_at=kept.changed_at if kept else None)


class _NotDeployed(OperationRefused):
    """The schedule group has no schedule of this name."""


def _read_states(_key: None, _previous: Mapping[str, DeployedSchedule] | None) -> Mapping[str, DeployedSchedule]:
    """Read one schedule after the other; after the first error the rest are UNKNOWN too."""
    states: dict[str, DeployedSchedule] = {}
    unknown: DeployedSchedule | None = None
    for schedule in registered_project().schedules:
        states[schedule.name] = state = unknown or _read_state(schedule)
        unknown = state if state.state is DeployedState.UNKNOWN else None
    return states


_states = Cache("EventBridge Scheduler", _read_states, KEPT_SECONDS)


def _read_state(schedule: Schedule) -> DeployedSchedule:
    if runs_on_worker():
        return worker_state(schedule.name)
    try:
        found = get_schedule(schedule)
    except _NotDeployed as refused:
        return DeployedSchedule(DeployedState.NOT_DEPLOYED, why=str(refused))
    except OperationRefused as refused:
        return DeployedSchedule(DeployedState.UNKNOWN, why=str(refused))
    state = DeployedState.PAUSED if found.get("State") == "DISABLED" else DeployedState.RUNNING
    return DeployedSchedule(state, drift_of(schedule, found), found.get("LastModificationDate"))


def drift_of(schedule: Schedule, found: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return the differences between GetSchedule's answer and the declaration, which has no State."""
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
