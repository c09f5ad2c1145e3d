"""How an execution closes, and what it keeps then: nothing if it has succeeded, else what a redrive needs."""

from asl_engine.core.commands import Finished
from asl_engine.core.execution import OPEN, Branch, Phase, Status
from asl_engine.core.run import MAX_EVENTS, Run
from asl_engine.errors import RUNTIME, TIMEOUT


def succeed_execution(run: Run, root: Branch) -> None:
    """Close the execution with the root branch's last output."""
    execution = run.execution
    text = run.input_text(root)
    run.emit(root, "ExecutionSucceeded", {"output": text})
    execution.output, execution.output_text = root.input, text
    _close(run, Status.SUCCEEDED)


def fail_execution(run: Run, branch: Branch, error: str | None, cause: str | None) -> None:
    """Close the execution by the failure of a branch that nothing above it handles."""
    branch.phase, branch.error, branch.cause = Phase.FAILED, error, cause
    if run.execution.next_event_id >= run.max_events:
        fail_for_history(run)
        return
    run.emit(branch, "ExecutionFailed", reason(error, cause))
    run.execution.error, run.execution.cause = error, cause
    _close(run, Status.FAILED)


def fail_for_history(run: Run) -> None:
    """Close the execution because its history has only room for the event that says so."""
    execution = run.execution
    cause = f"The execution reached the maximum number of history events ({MAX_EVENTS})."
    run.note(execution.next_event_id - 1, "ExecutionFailed", reason(RUNTIME, cause))
    execution.error, execution.cause = RUNTIME, cause
    _close(run, Status.FAILED)


def abort_execution(run: Run, error: str | None, cause: str | None) -> None:
    """Close the execution because somebody stops it. The states it was in leave no event."""
    run.note(0, "ExecutionAborted", reason(error, cause))
    run.execution.error, run.execution.cause = error, cause
    _close(run, Status.ABORTED)


def time_execution_out(run: Run) -> None:
    """Close the execution because its time is over. States.Timeout is in the history alone."""
    run.note(0, "ExecutionTimedOut", {"error": TIMEOUT})
    _close(run, Status.TIMED_OUT)


def reason(error: str | None, cause: str | None) -> dict[str, str]:
    """Return an event's error and cause, each only if there is one."""
    details = {}
    if error is not None:
        details["error"] = error
    if cause is not None:
        details["cause"] = cause
    return details


def _close(run: Run, status: Status) -> None:
    execution = run.execution
    execution.status, execution.stop_ms, execution.timeout_ms = status, run.now_ms, None
    run.ready.clear()
    if status is Status.SUCCEEDED or execution.express:
        _drop_branches(run)
    else:
        for branch in execution.branches.values():
            if branch.phase in OPEN:
                run.cancel(branch)
                branch.phase = Phase.ABORTED
                run.touch(branch)
            elif branch.phase is Phase.FAILED:
                run.touch(branch)
    run.commands.append(Finished(status))


def _drop_branches(run: Run) -> None:
    execution = run.execution
    for branch in execution.branches.values():
        run.cancel(branch)
    execution.removed.update(execution.branches)
    execution.changed.clear()
    execution.branches.clear()
