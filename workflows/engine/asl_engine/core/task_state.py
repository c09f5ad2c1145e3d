"""Task: scheduled here, performed outside, ended by an event.

A task has a family of history events by its Resource: LambdaFunction… for a function's ARN (or the name of a
function of this process), Activity… for an activity's, Task… for an integration, with resource and type in each.
https://docs.aws.amazon.com/step-functions/latest/dg/state-task.html
"""

import base64
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from asl_engine.core.commands import InvokeTask
from asl_engine.core.data import StateEnv, check_size, effective_input, integer, outcome_of
from asl_engine.core.events import TaskFailed
from asl_engine.core.execution import Branch, Phase
from asl_engine.core.transitions import fail, leave
from asl_engine.core.work import Work
from asl_engine.definition.program import TaskState
from asl_engine.definition.resources import ResourceKind, parse_resource
from asl_engine.errors import RUNTIME, TIMEOUT, StateFailed
from asl_engine.jsontext import Json

# --- events by Resource ---


@dataclass(frozen=True, slots=True)
class TaskFamily:
    """One of the three families. ``common`` is in every event of an integration's task."""

    prefix: str  # LambdaFunction, Activity or Task
    resource: str
    common: dict[str, str]

    @property
    def is_activity(self) -> bool:
        """True if a worker polls for the task."""
        return self.prefix == "Activity"

    @property
    def is_integration(self) -> bool:
        """True if the events are Task… ones."""
        return self.prefix == "Task"

    @property
    def subject(self) -> str:
        """The service, or the whole Resource, in the cause of too large a result."""
        return self.common.get("resourceType", self.resource)

    @property
    def wants_token(self) -> bool:
        """True if a task token ends the task: a callback, or an activity."""
        return self.is_activity or self.resource.endswith(".waitForTaskToken")

    def scheduled(self, parameters: str, region: str) -> dict[str, Any]:
        """Return the details of the Scheduled event."""
        if self.is_integration:
            return {**self.common, "region": region, "parameters": parameters}
        return {"resource": self.resource, "input": parameters}

    def event(self, **details: Json) -> dict[str, Any]:
        """Return the details of another event, without those that are None."""
        present = {key: value for key, value in details.items() if value is not None}
        return {**self.common, **present} if self.common else present

    def failed(self, phase: str) -> str:
        """Return the event type of a failure in a phase: schedule, start, submit or run."""
        if self.is_integration:
            has_own_type = phase in ("start", "submit")
        elif self.is_activity:
            has_own_type = phase == "schedule"
        else:
            has_own_type = phase in ("schedule", "start")
        return f"{self.prefix}{phase.capitalize() if has_own_type else ''}Failed"


@lru_cache(maxsize=1024)
def family_of(resource: str) -> TaskFamily:
    """Return the family of events for a state's Resource."""
    found = parse_resource(resource)
    if found.is_integration:
        service = f"aws-sdk:{found.service}" if found.kind is ResourceKind.SDK else found.service
        action = ".".join(filter(None, (found.action, found.pattern)))
        return TaskFamily("Task", resource, {"resourceType": service, "resource": action})
    return TaskFamily("Activity" if found.kind is ResourceKind.ACTIVITY else "LambdaFunction", resource, {})


# --- task tokens ---

_PART_SEPARATOR = "\n"


def task_token(execution_arn: str, branch_id: int, token: int, secret: int) -> str:
    """Return a task token. It names execution and branch, so that no lookup is needed."""
    parts = (execution_arn, str(branch_id), str(token), f"{secret:x}")
    return base64.urlsafe_b64encode(_PART_SEPARATOR.join(parts).encode()).decode()


def read_task_token(text: str) -> tuple[str, int, int]:
    """Return a task token's execution ARN, branch id and token number. Raises ValueError.

    Compare the text with ``Branch.task_token`` to learn whether this token was issued.
    """
    execution_arn, branch_id, token, _ = (
        base64.b64decode(text, altchars=b"-_", validate=True).decode().split(_PART_SEPARATOR)
    )
    return execution_arn, int(branch_id), int(token)


# --- timeouts: absolute times in the branch, which a restart does not change; one timer, for the nearer one ---


def next_end_ms(branch: Branch) -> int | None:
    """Return the nearer of the task's timeout and heartbeat timeout, None without either."""
    if branch.heartbeat_ms is None:
        return branch.timeout_ms
    return branch.heartbeat_ms if branch.timeout_ms is None else min(branch.timeout_ms, branch.heartbeat_ms)


def _set_task_timer(work: Work, branch: Branch) -> None:
    end_ms = next_end_ms(branch)
    if end_ms is not None:
        work.set_timer(branch, end_ms)


def renew_heartbeat(work: Work, branch: Branch) -> None:
    """Restart the heartbeat timeout, if the task has one."""
    if branch.heartbeat_seconds is not None:
        branch.heartbeat_ms = work.now_ms + branch.heartbeat_seconds * 1000
        work.touch(branch)


# --- the state ---


def execute_task(work: Work, branch: Branch, state: TaskState) -> None:
    """Schedule the task. An activity's heartbeat timeout begins when a worker takes it."""
    family = family_of(state.resource)
    if family.is_activity and not work.activity_exists(state.resource):
        raise StateFailed(RUNTIME, "The activity ARN does not exist.", headed=True)
    token = work.new_token(branch)
    if family.wants_token:
        branch.task_token = task_token(work.execution.arn, branch.id, token, int(work.draw() * (1 << 53)))
    branch.parameters = effective_input(work, branch, state)
    branch.credentials = (
        None if state.credentials is None else state.credentials.evaluate(StateEnv(work, branch, branch.input))
    )
    branch.timeout_seconds = integer(work, branch, state, "TimeoutSeconds", state.timeout)
    branch.heartbeat_seconds = integer(work, branch, state, "HeartbeatSeconds", state.heartbeat)
    branch.timeout_ms = None if branch.timeout_seconds is None else work.now_ms + branch.timeout_seconds * 1000
    branch.heartbeat_ms = None
    text = work.text(branch.parameters)
    check_size(state.name, text)
    work.emit(branch, f"{family.prefix}Scheduled", _scheduled(work, branch, family, text))
    branch.phase, branch.started, branch.submission = Phase.TASK, False, None
    if not family.is_activity:
        renew_heartbeat(work, branch)
    work.commands.append(invocation(branch, state))
    _set_task_timer(work, branch)


def _scheduled(work: Work, branch: Branch, family: TaskFamily, parameters: str) -> dict[str, Any]:
    details = family.scheduled(parameters, work.execution.arn.split(":", 4)[3])
    if branch.timeout_seconds is not None:
        details["timeoutInSeconds"] = branch.timeout_seconds
    if branch.heartbeat_seconds is not None:
        details["heartbeatInSeconds"] = branch.heartbeat_seconds
    if branch.credentials is not None:
        details["taskCredentials"] = {"roleArn": branch.credentials.get("RoleArn")}
    return details


def invocation(branch: Branch, state: TaskState) -> InvokeTask:
    """Return the command that performs the branch's task, the first time or after a restart."""
    return InvokeTask(
        branch_id=branch.id,
        token=branch.token,
        state=state.name,
        resource=state.resource,
        parameters=branch.parameters,
        task_token=branch.task_token,
        timeout_seconds=branch.timeout_seconds,
        credentials=branch.credentials,
        submission=branch.submission,
    )


def started(work: Work, branch: Branch, state: TaskState, worker_name: str | None = None) -> None:
    """Write the Started event, once."""
    if branch.started:
        return
    family = family_of(state.resource)
    branch.started = True
    work.emit(branch, f"{family.prefix}Started", family.event(workerName=worker_name))
    if family.is_activity and branch.heartbeat_seconds is not None:
        renew_heartbeat(work, branch)
        _set_task_timer(work, branch)


def submitted(work: Work, branch: Branch, state: TaskState, output: Json) -> None:
    """Write the answer to the call that submitted the task; the task ends later."""
    family = family_of(state.resource)
    if family.is_integration:
        started(work, branch, state)
        branch.submission = output
        work.emit(branch, "TaskSubmitted", family.event(output=work.text(output)))


def succeeded(work: Work, branch: Branch, state: TaskState, output: Json) -> None:
    """Leave the state with the task's result."""
    started(work, branch, state)
    text = work.text(output)
    try:
        check_size(family_of(state.resource).subject, text)
    except StateFailed as failure:
        failed(work, branch, state, TaskFailed(branch.id, branch.token, failure.error, failure.cause))
        return
    family = family_of(state.resource)
    work.emit(branch, f"{family.prefix}Succeeded", family.event(output=text))
    try:
        leave(work, branch, state, outcome_of(work, branch, state, output), state.next)
    except StateFailed as failure:
        fail(work, branch, state, failure)
    _forget_task(branch)


def failed(work: Work, branch: Branch, state: TaskState, event: TaskFailed) -> None:
    """Fail the state by the task's error."""
    family = family_of(state.resource)
    if event.phase in ("run", "submit") and not (family.is_activity and not branch.started):
        started(work, branch, state)
    work.emit(branch, family.failed(event.phase), family.event(error=event.error, cause=event.cause))
    fail(work, branch, state, StateFailed(event.error, event.cause))
    _forget_task(branch)


def timed_out(work: Work, branch: Branch, state: TaskState, *, is_heartbeat: bool) -> None:
    """Cancel the task and fail the state. AWS reports a missed heartbeat as States.Timeout too."""
    family = family_of(state.resource)
    if not family.is_activity:
        started(work, branch, state)
    work.cancel(branch)
    work.emit(branch, f"{family.prefix}TimedOut", family.event(error=TIMEOUT))
    fail(work, branch, state, StateFailed(TIMEOUT), is_heartbeat=is_heartbeat)
    _forget_task(branch)


def _forget_task(branch: Branch) -> None:
    if branch.phase is not Phase.TASK:  # else the next task is out already
        branch.parameters = branch.credentials = branch.submission = branch.task_token = None
        branch.timeout_ms = branch.timeout_seconds = branch.heartbeat_ms = branch.heartbeat_seconds = None
        branch.started = False
