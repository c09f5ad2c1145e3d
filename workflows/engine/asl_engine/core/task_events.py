"""The events of a task in the history: three families, by its Resource.

A function's ARN: LambdaFunction…; an activity's: Activity…; an integration: Task…, with the resource
and its type in each. Anything else is a function of this process by its name, with the events of a function.
"""

import base64
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from asl_engine.definition.resources import ResourceKind, parse_resource
from asl_engine.jsontext import Json

_PART_SEPARATOR = "\n"


@dataclass(frozen=True, slots=True)
class TaskFamily:
    """One of the three families. ``common`` is in every event of an integration's task."""

    prefix: str  # LambdaFunction, Activity or Task
    resource: str
    common: dict[str, str]

    @property
    def is_activity(self) -> bool:
        """Whether a worker asks for the task."""
        return self.prefix == "Activity"

    @property
    def is_integration(self) -> bool:
        """Whether the events are Task… ones."""
        return self.prefix == "Task"

    @property
    def wants_token(self) -> bool:
        """Whether the task ends by its token: a callback, or an activity."""
        return self.is_activity or self.resource.endswith(".waitForTaskToken")

    def scheduled(self, parameters: str, region: str) -> dict[str, Any]:
        """Return the details of the Scheduled event."""
        if self.is_integration:
            return {**self.common, "region": region, "parameters": parameters}
        return {"resource": self.resource, "input": parameters}

    def event(self, **details: Json) -> dict[str, Any]:
        """Return the details of another event, those that are None left out."""
        present = {key: value for key, value in details.items() if value is not None}
        return {**self.common, **present} if self.common else present

    def failed(self, phase: str) -> str:
        """Return the type of the event for a failure in this phase: schedule, start, submit or run."""
        if (
            phase == "run"
            or (self.is_integration and phase == "schedule")
            or (self.is_activity and phase != "schedule")
        ):
            return f"{self.prefix}Failed"
        if phase == "submit" and not self.is_integration:
            return f"{self.prefix}Failed"
        return f"{self.prefix}{phase.capitalize()}Failed"


@lru_cache(maxsize=1024)
def family_of(resource: str) -> TaskFamily:
    """Return the family of events for a state's Resource."""
    found = parse_resource(resource)
    if found.is_integration:
        service = f"aws-sdk:{found.service}" if found.kind is ResourceKind.SDK else found.service
        action = ".".join(filter(None, (found.action, found.pattern)))
        return TaskFamily("Task", resource, {"resourceType": service, "resource": action})
    return TaskFamily("Activity" if found.kind is ResourceKind.ACTIVITY else "LambdaFunction", resource, {})


def task_token(execution_arn: str, branch_id: int, token: int, secret: int) -> str:
    """Return the text that ends a task from outside. It names the task, so that none has to be looked up."""
    parts = (execution_arn, str(branch_id), str(token), f"{secret:x}")
    return base64.urlsafe_b64encode(_PART_SEPARATOR.join(parts).encode()).decode()


def read_task_token(text: str) -> tuple[str, int, int]:
    """Return a task token's execution ARN, branch id and token. Raises ValueError for what is no task token.

    Whether the token was given out is known to the branch alone (``Branch.task_token``).
    """
    execution_arn, branch_id, token, _ = (
        base64.b64decode(text, altchars=b"-_", validate=True).decode().split(_PART_SEPARATOR)
    )
    return execution_arn, int(branch_id), int(token)
