"""How an execution closes, and what it keeps then: nothing if it has succeeded, else what a redrive needs."""

from asl_engine.core.commands import Finished
from asl_engine.core.execution import OPEN, Branch, Phase, Status
from asl_engine.core.work import MAX_EVENTS, Work
from asl_engine.errors import RUNTIME, TIMEOUT


def succeed_execution(work: Work, root: Branch) -> None:
    """Close the execution with the root branch's last output."""
    execution = work.execution
    text = work.input_text(root)
    work.emit(root, "ExecutionSucceeded", {"output": text})
    execution.output, execution.output_text = root.input, text
    _close(work, Status.SUCCEEDED)


def fail_execution(work: Work, branch: Branch, error: str | None, cause: str | None) -> None:
    """Close the execution by the failure of a branch that nothing above it handles."""
    branch.phase, branch.error, branch.cause = Phase.FAILED, error, cause
    if work.execution.next_event_id >= work.max_events:
        fail_for_history(work)
        return
    work.emit(branch, "ExecutionFailed", reason(error, cause))
    work.execution.error, work.execution.cause = error, cause
    _close(work, Status.FAILED)


def fail_for_history(work: Work) -> None:
    """Close the execution because its history has only room for the event that says so."""
    execution = work.execution
    cause = f"The execution reached the maximum number of history events ({MAX_EVENTS})."
    work.note(execution.next_event_id - 1, "ExecutionFailed", reason(RUNTIME, cause))
    execution.error, execution.cause = RUNTIME, cause
    _close(work, Status.FAILED)


def abort_execution(work: Work, error: str | None, cause: str | None) -> None:
    """Close the execution because it is stopped. The states it was in leave no event."""
    work.note(0, "ExecutionAborted", reason(error, cause))
    work.execution.error, work.execution.cause = error, cause
    _close(work, Status.ABORTED)


def time_execution_out(work: Work) -> None:
    """Close the execution because its time is over. States.Timeout is in the history alone."""
    work.note(0, "ExecutionTimedOut", {"error": TIMEOUT})
    _close(work, Status.TIMED_OUT)


def reason(error: str | None, cause: str | None) -> dict[str, str]:
    """Return an event's error and cause, each only if there is one."""
    details = {}
    if error is not None:
        details["error"] = error
    if cause is not None:
        details["cause"] = cause
    return details


def _close(work: Work, status: Status) -> None:
    execution = work.execution
    execution.status, execution.stop_ms, execution.timeout_ms = status, work.now_ms, None
    work.ready.clear()
    if status is Status.SUCCEEDED or execution.express:
        _drop_branches(work)
    else:
        for branch in execution.branches.values():
            if branch.phase in OPEN:
                work.cancel(branch)
                branch.phase = Phase.ABORTED
                work.touch(branch)
            elif branch.phase is Phase.FAILED:
                work.touch(branch)
    work.commands.append(Finished(status))


def _drop_branches(work: Work) -> None:
    execution = work.execution
    for branch in execution.branches.values():
        work.cancel(branch)
    execution.removed.update(execution.branches)
    execution.changed.clear()
    execution.branches.clear()
