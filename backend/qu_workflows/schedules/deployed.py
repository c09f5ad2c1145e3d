"""The deployed state of the declared schedules at EventBridge Scheduler, cached for seconds.

CloudFormation does not track a schedule's State: a deploy that changes the schedule's resource sets its State to what
the parameter SchedulesState says, one that does not leaves the schedule as it is.
https://docs.aws.amazon.com/scheduler/latest/APIReference/API_GetSchedule.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from qu_workflows.aws import clients as aws
from qu_workflows.caching import PAGE_SECONDS, Cache, Cached
from qu_workflows.protocol.project import registered_project
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused
from qu_workflows.protocol.schedule import Schedule
from qu_workflows.schedules.drift import Difference, drift_of

KEPT_SECONDS = 10.0


class DeployedState(StrEnum):
    """The state of a schedule at EventBridge Scheduler; UNKNOWN without an answer."""

    RUNNING = "running"
    PAUSED = "paused"
    NOT_DEPLOYED = "not_deployed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class DeployedSchedule:
    """A schedule at EventBridge Scheduler. ``why`` says why its state is not known, or why it is not there."""

    state: DeployedState
    differences: tuple[Difference, ...] = ()
    changed_at: datetime | None = None
    why: str = ""


def deployed_states(wait_seconds: float = PAGE_SECONDS) -> Cached[Mapping[str, DeployedSchedule]]:
    """Return how every declared schedule stands, by their names. Raises nothing."""
    return _states.get(None, wait_seconds)


def deployed_state(name: str, known: Cached[Mapping[str, DeployedSchedule]] | None = None) -> DeployedSchedule:
    """Return how a declared schedule stands, by what is ``known`` of all. Raises nothing."""
    known = known or deployed_states()
    return (known.value or {}).get(name) or DeployedSchedule(DeployedState.UNKNOWN, why=known.unanswered)


def refresh_deployed_states() -> None:
    """Start the read that ``deployed_states`` would wait for."""
    _states.refresh(None)


def expire_deployed_states() -> None:
    """Have the next question be answered by AWS: a schedule was changed."""
    _states.expire(None)


def forget_deployed_states() -> None:
    """Forget what AWS said."""
    _states.clear()


def get_schedule(schedule: Schedule) -> Mapping[str, Any]:
    """Return a schedule as GetSchedule has it. Raises OperationRefused, also for one that is not deployed."""
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
        raise scheduler_failed(error) from error


def scheduler_failed(error: ClientError | BotoCoreError) -> OperationFailed:
    """Return an error of EventBridge Scheduler as a sentence."""
    if isinstance(error, BotoCoreError):
        return OperationFailed(
            "EventBridge Scheduler", f"was not reached ({error}).", "Check the network and the credentials; try again."
        )
    code = str(error.response.get("Error", {}).get("Code", ""))
    text = str(error.response.get("Error", {}).get("Message", "")).rstrip(".")
    right = "Use credentials that have the policy of the output OperatorPolicyArn."
    remedy = right if code.startswith("AccessDenied") else "Try again; it is safe to."
    return OperationFailed("EventBridge Scheduler", f"answered {code}: {text}.", remedy)


class _NotDeployed(OperationRefused):
    """EventBridge Scheduler has no schedule of this name in the group."""


def _read_states(_key: None, _previous: Mapping[str, DeployedSchedule] | None) -> Mapping[str, DeployedSchedule]:
    """Ask for one schedule after the other; once AWS did not answer, it is not asked for the rest."""
    states: dict[str, DeployedSchedule] = {}
    unknown: DeployedSchedule | None = None
    for schedule in registered_project().schedules:
        states[schedule.name] = state = unknown or _read_state(schedule)
        unknown = state if state.state is DeployedState.UNKNOWN else None
    return states


_states = Cache("EventBridge Scheduler", _read_states, KEPT_SECONDS)


def _read_state(schedule: Schedule) -> DeployedSchedule:
    try:
        found = get_schedule(schedule)
    except _NotDeployed as refused:
        return DeployedSchedule(DeployedState.NOT_DEPLOYED, why=str(refused))
    except OperationRefused as refused:
        return DeployedSchedule(DeployedState.UNKNOWN, why=str(refused))
    state = DeployedState.PAUSED if found.get("State") == "DISABLED" else DeployedState.RUNNING
    return DeployedSchedule(state, drift_of(schedule, found), found.get("LastModificationDate"))
