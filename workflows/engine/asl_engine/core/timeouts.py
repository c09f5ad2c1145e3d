"""When a task is given up: its TimeoutSeconds, and the heartbeats it owes.

Every end is an absolute time in the branch, so that a restart changes none of them. One timer runs
per task, to the nearer end; one that comes early (a heartbeat has moved the end) is set again.
"""

from asl_engine.core.commands import SetTimer
from asl_engine.core.data import integer
from asl_engine.core.execution import Branch
from asl_engine.core.work import Work
from asl_engine.definition.program import TaskState

# AWS: how long an execution may be open, hard.
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MAX_OPEN_MS = 365 * 86_400_000
MAX_EXPRESS_SECONDS = 300


def begin_timeouts(work: Work, branch: Branch, state: TaskState) -> None:
    """Set the ends of a task that is scheduled now. An activity owes heartbeats from its start on."""
    timeout = integer(work, branch, state, "TimeoutSeconds", state.timeout)
    branch.timeout_seconds = timeout
    branch.heartbeat_seconds = integer(work, branch, state, "HeartbeatSeconds", state.heartbeat)
    branch.timeout_ms = None if timeout is None else work.now_ms + timeout * 1000
    branch.heartbeat_ms = None


def next_end_ms(branch: Branch) -> int | None:
    """Return the nearer end of a task that is out, if it has one."""
    if branch.heartbeat_ms is None:
        return branch.timeout_ms
    return branch.heartbeat_ms if branch.timeout_ms is None else min(branch.timeout_ms, branch.heartbeat_ms)


def set_task_timer(work: Work, branch: Branch) -> None:
    """Command the task's timer, if it has an end at all."""
    end_ms = next_end_ms(branch)
    if end_ms is not None:
        work.set_timer(branch, end_ms)


def heard_from(work: Work, branch: Branch) -> None:
    """Take note of a sign of life: the next heartbeat is owed from now."""
    if branch.heartbeat_seconds is not None:
        branch.heartbeat_ms = work.now_ms + branch.heartbeat_seconds * 1000
        work.touch(branch)


def begin_execution_timeout(work: Work) -> None:
    """Set the end of the whole execution, if it has one. A redrive sets it again.

    The year of a Standard execution has no timer: the first event after it is the one that ends it.
    """
    seconds = work.program.timeout_seconds
    if work.execution.express:
        seconds = min(seconds or MAX_EXPRESS_SECONDS, MAX_EXPRESS_SECONDS)
    if seconds is not None:
        work.execution.timeout_ms = work.now_ms + seconds * 1000
        work.commands.append(SetTimer(0, work.execution.redrive_count, work.execution.timeout_ms))
