"""Task: scheduled here, performed outside, ended by an event.

https://docs.aws.amazon.com/step-functions/latest/dg/state-task.html
"""

from typing import Any

from asl_engine.core.commands import InvokeTask
from asl_engine.core.context import StateEnv
from asl_engine.core.data import check_size, effective_input, outcome_of
from asl_engine.core.events import TaskFailed
from asl_engine.core.execution import Branch, Phase
from asl_engine.core.task_events import TaskFamily, family_of, task_token
from asl_engine.core.timeouts import begin_timeouts, heard_from, set_task_timer
from asl_engine.core.transitions import fail, leave
from asl_engine.core.work import Work
from asl_engine.definition.program import TaskState
from asl_engine.errors import TIMEOUT, StateFailed
from asl_engine.jsontext import Json


def execute(work: Work, branch: Branch, state: TaskState) -> None:
    """Schedule the task."""
    family = family_of(state.resource)
    token = work.new_token(branch)
    if family.wants_token:
        branch.task_token = task_token(work.execution.arn, branch.id, token, int(work.draw() * (1 << 53)))
    branch.parameters = effective_input(work, branch, state)
    branch.credentials = (
        None if state.credentials is None else state.credentials.evaluate(StateEnv(work, branch, branch.input))
    )
    begin_timeouts(work, branch, state)
    text = work.text(branch.parameters)
    check_size(state.name, text)
    work.emit(branch, f"{family.prefix}Scheduled", _scheduled(work, branch, family, text))
    branch.phase, branch.started, branch.submission = Phase.TASK, False, None
    if not family.is_activity:
        heard_from(work, branch)
    work.commands.append(invocation(branch, state))
    set_task_timer(work, branch)


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
        heartbeat_seconds=branch.heartbeat_seconds,
        credentials=branch.credentials,
        submission=branch.submission,
    )


def started(work: Work, branch: Branch, state: TaskState, worker_name: str | None = None) -> None:
    """Write that the task is under way, once."""
    if branch.started:
        return
    family = family_of(state.resource)
    branch.started = True
    work.emit(branch, f"{family.prefix}Started", family.event(workerName=worker_name))
    if family.is_activity and branch.heartbeat_seconds is not None:
        heard_from(work, branch)
        set_task_timer(work, branch)


def submitted(work: Work, branch: Branch, state: TaskState, output: Json) -> None:
    """Write what the call that hands the task out has answered; its end comes later."""
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
        check_size(state.resource, text)
    except StateFailed as failure:
        failed(work, branch, state, TaskFailed(branch.id, branch.token, failure.error, failure.cause))
        return
    family = family_of(state.resource)
    work.emit(branch, f"{family.prefix}Succeeded", family.event(output=text))
    try:
        leave(work, branch, state, outcome_of(work, branch, state, output), state.next)
    except StateFailed as failure:
        fail(work, branch, state, failure)
    forget_task(branch)


def failed(work: Work, branch: Branch, state: TaskState, event: TaskFailed) -> None:
    """Let the state fail by the task's error."""
    family = family_of(state.resource)
    if event.phase in ("run", "submit") and not (family.is_activity and not branch.started):
        started(work, branch, state)
    work.emit(branch, family.failed(event.phase), family.event(error=event.error, cause=event.cause))
    fail(work, branch, state, StateFailed(event.error, event.cause))
    forget_task(branch)


def timed_out(work: Work, branch: Branch, state: TaskState, *, is_heartbeat: bool) -> None:
    """Give the task up. AWS reports a missed heartbeat as States.Timeout too."""
    family = family_of(state.resource)
    if not family.is_activity:
        started(work, branch, state)
    work.cancel(branch)
    work.emit(branch, f"{family.prefix}TimedOut", family.event(error=TIMEOUT))
    fail(work, branch, state, StateFailed(TIMEOUT), is_heartbeat=is_heartbeat)
    forget_task(branch)


def forget_task(branch: Branch) -> None:
    """Drop what only a task that is out needs, unless the next one is out already."""
    if branch.phase is not Phase.TASK:
        branch.parameters = branch.credentials = branch.submission = branch.task_token = None
        branch.timeout_ms = branch.timeout_seconds = branch.heartbeat_ms = branch.heartbeat_seconds = None
        branch.started = False
