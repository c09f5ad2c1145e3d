"""Redrive of a closed execution.

Every state with an Entered event and no Exited one runs again. Finished states, branches and iterations keep
their results; retriers count from 0 and timeouts restart.
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

from asl_engine.core.branching_states import redrive_map_run
from asl_engine.core.execution import ROOT_ID, Branch, Execution, Phase, Status
from asl_engine.core.redrivability import RedriveStatus, redrivability
from asl_engine.core.transitions import begin_pending, fail, join
from asl_engine.core.work import Work
from asl_engine.definition.program import State, StateType
from asl_engine.errors import DATA_LIMIT_EXCEEDED, RUNTIME, StateFailed

# AWS keeps the tokens of the last ten successful redrives, each for 15 minutes.
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html
_TOKENS_KEPT, _TOKEN_MS = 10, 900_000


def redrive_status(execution: Execution, now_ms: int) -> tuple[RedriveStatus, str | None]:
    """Return whether an execution can be redriven, and AWS's reason if it cannot."""
    return redrivability(
        status=execution.status,
        start_ms=execution.start_ms,
        stop_ms=execution.stop_ms,
        now_ms=now_ms,
        history_length=execution.next_event_id - 1,
        is_map_run_child=execution.map_run_arn is not None,
    )


def redriven_ms(execution: Execution, client_token: str | None, now_ms: int) -> int | None:
    """Return the time of the earlier redrive with this token, None if there was none."""
    for token, at_ms in execution.redrive_tokens:
        if token == client_token and now_ms - at_ms < _TOKEN_MS:
            return at_ms
    return None


def redrive(work: Work, client_token: str | None) -> None:
    """Redrive a closed execution. Does nothing if ``redrive_status`` gives a reason against it."""
    execution = work.execution
    root = execution.branches.get(ROOT_ID)
    if root is None or redrive_status(execution, work.now_ms)[1] is not None:
        return
    execution.status, execution.stop_ms = Status.RUNNING, None
    execution.error = execution.cause = None
    execution.redrive_count += 1
    execution.redrive_ms = work.now_ms
    if client_token is not None:
        execution.redrive_tokens = [*execution.redrive_tokens, (client_token, work.now_ms)][-_TOKENS_KEPT:]
    details = {"redriveCount": execution.redrive_count}
    redriven_id = work.note(execution.next_event_id - 1, "ExecutionRedriven", details)
    work.set_execution_timeout()
    _resume(work, root, redriven_id)


def _resume(work: Work, branch: Branch, redriven_id: int) -> None:
    state = work.state_of(branch)
    failed_by = branch.error
    branch.error = branch.cause = None
    branch.retries = {}
    branch.last_event_id = redriven_id
    work.touch(branch)
    whole = failed_by == DATA_LIMIT_EXCEEDED
    if branch.child_count and not whole:
        _resume_children(work, branch, state, redriven_id)
    elif branch.map_run_arn is not None and not whole and failed_by != RUNTIME:
        redrive_map_run(work, branch)
    else:
        work.remove_children(branch)
        was_entered = branch.entered_event_id and state.type is not StateType.FAIL
        branch.phase = Phase.ENTERED if was_entered else Phase.READY
        work.wake(branch)


def _resume_children(work: Work, parent: Branch, state: State, redriven_id: int) -> None:
    children = [child for child in work.children_of(parent) if child.phase is not Phase.DONE]
    parent.phase = Phase.CHILDREN
    parent.child_left, parent.child_running, parent.child_next = len(children), 0, 0
    if not children:  # all succeeded and the state failed after that: leave it again
        join(work, parent, state)
        return
    for child in children:
        if child.phase is not Phase.PENDING:
            parent.child_running += 1
            _resume(work, child, redriven_id)
    try:
        begin_pending(work, parent, state, redriven_id)
    except StateFailed as failure:
        fail(work, parent, state, failure)
