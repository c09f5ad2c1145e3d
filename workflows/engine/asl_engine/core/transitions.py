"""How a branch goes from state to state: in, out, into a retry, a catcher or its parent's failure.

The functions call each other along the tree of branches: a last child's end is its parent's, an
uncaught failure is too.
"""

from asl_engine.core import children
from asl_engine.core.data import StateResult, check_size, outcome_of, outcome_of_catching
from asl_engine.core.execution import Branch, Phase
from asl_engine.core.execution_end import fail_execution, succeed_execution
from asl_engine.core.retry import delay_before, matches, take_retry
from asl_engine.core.work import Work
from asl_engine.definition.program import Catcher, Retrier, State, StateType
from asl_engine.errors import RUNTIME, StateFailed
from asl_engine.jsontext import dumps

_ENTERED = {kind: f"{kind.value}StateEntered" for kind in StateType}
_EXITED = {kind: f"{kind.value}StateExited" for kind in StateType}
_WITH_CHILDREN = (StateType.MAP, StateType.PARALLEL)


def enter(work: Work, branch: Branch, state: State) -> None:
    """Enter a state; its work comes next."""
    branch.before_entered_id = branch.last_event_id
    branch.entered_ms = work.now_ms
    branch.phase = Phase.ENTERED
    branch.wake_ms = None
    if branch.retries:
        branch.retries = {}
    details = {"name": state.name, "input": work.input_text(branch)}
    branch.entered_event_id = work.emit(branch, _ENTERED[state.type], details)


def leave(work: Work, branch: Branch, state: State, outcome: StateResult, next_name: str | None) -> None:
    """Exit a state, and let the branch go on to the next one, or end."""
    _exit(work, branch, state, outcome, branch.last_event_id)
    _go_on(work, branch, next_name)


def _exit(work: Work, branch: Branch, state: State, outcome: StateResult, previous_id: int) -> None:
    """Write the Exited event and take over output and variables. Raises StateFailed for too large an output."""
    output, assigned = outcome
    text = branch.input_text if output is branch.input else None
    if text is None:
        text = work.text(output)
        check_size(state.name, text)
    details: dict[str, object] = {"name": state.name, "output": text}
    if assigned:
        details["assignedVariables"] = {name: dumps(value) for name, value in assigned.items()}
        branch.variables = {**branch.variables, **assigned}
    branch.last_event_id = previous_id
    work.emit(branch, _EXITED[state.type], details)
    branch.input, branch.input_text = output, text


def _go_on(work: Work, branch: Branch, next_name: str | None) -> None:
    branch.entered_event_id = 0
    if next_name is not None:
        branch.state, branch.phase = next_name, Phase.READY
        return
    branch.phase = Phase.DONE
    if branch.parent_id is None:
        succeed_execution(work, branch)
        return
    branch.output, branch.input, branch.input_text, branch.item = branch.input, None, None, None
    branch.variables = {}
    child_done(work, work.execution.branches[branch.parent_id], branch)


# --- children ---


def child_done(work: Work, parent: Branch, child: Branch) -> None:
    """Take note that a child has ended well: begin the next one, or go on with all results."""
    state = work.state_of(parent)
    work.touch(parent)
    parent.child_left -= 1
    parent.child_running -= 1
    last_id = children.note_iteration(work, state, child, "Succeeded") or child.last_event_id
    if parent.child_left == 0:
        parent.last_event_id = last_id
        join(work, parent, state)
        return
    try:
        children.begin_pending(work, parent, state, child.last_event_id)
    except StateFailed as failure:
        fail(work, parent, state, failure)


def join(work: Work, parent: Branch, state: State) -> None:
    """Leave a Parallel or a Map with the results of its children, all of which are done."""
    results = [child.output for child in work.children_of(parent)]
    conclude(work, parent, state, results, parent.last_event_id)


def conclude(work: Work, parent: Branch, state: State, result: object, before_id: int) -> None:
    """Leave a Parallel or a Map with its result. As on AWS, the Exited event follows ``before_id``, not Succeeded."""
    work.emit(parent, f"{state.type.value}StateSucceeded")
    try:
        _exit(work, parent, state, outcome_of(work, parent, state, result), before_id)
    except StateFailed as failure:
        fail(work, parent, state, failure)
        return
    work.remove_children(parent)
    parent.map_run_arn, parent.map_run_redrives = None, 0
    _go_on(work, parent, state.next)
    if parent.phase is Phase.READY:
        work.wake(parent)


# --- failure ---


def fail(work: Work, branch: Branch, state: State, failure: StateFailed, *, is_heartbeat: bool = False) -> None:
    """Let a state fail: retried, caught, or handed to the branch's parent."""
    cause = _cause_of(branch, state, failure)
    if failure.location is not None:
        _write_evaluation_failed(work, branch, state, failure.error, cause, failure.location)
    _recover(work, branch, state, failure.error, cause, is_heartbeat=is_heartbeat)


def _cause_of(branch: Branch, state: State, failure: StateFailed) -> str | None:
    if not failure.headed:
        return failure.cause
    entered = f"(entered at the event id #{branch.entered_event_id})"
    return f"An error occurred while executing the state '{state.name}' {entered}. {failure.cause}"


def _write_evaluation_failed(
    work: Work, branch: Branch, state: State, error: str | None, cause: str | None, location: str
) -> None:
    """Write EvaluationFailed. As recorded on AWS it follows what was before Entered, save in a Wait."""
    previous_id = branch.last_event_id
    if previous_id == branch.entered_event_id and state.type is not StateType.WAIT:
        previous_id = branch.before_entered_id
    details = {"error": error, "cause": cause, "location": location, "state": state.name}
    branch.last_event_id = work.note(previous_id, "EvaluationFailed", details)


def _recover(
    work: Work, branch: Branch, state: State, error: str | None, cause: str | None, *, is_heartbeat: bool = False
) -> None:
    """Retry, catch or give up. States.Runtime always ends the execution, from within any branch."""
    if error == RUNTIME:
        fail_execution(work, branch, error, cause)
        return
    children.abort_running(work, branch)
    retry = take_retry(state, branch, error, is_heartbeat=is_heartbeat)
    if retry is not None:
        _back_off(work, branch, *retry)
        return
    before_id = branch.last_event_id
    if state.type in _WITH_CHILDREN:
        work.emit(branch, f"{state.type.value}StateFailed")
    for catcher in state.catch:
        if matches(catcher.error_equals, error, is_heartbeat=is_heartbeat):
            _catch(work, branch, state, catcher, {"Error": error or "", "Cause": cause or ""}, before_id)
            return
    _give_up(work, branch, error, cause)


def _back_off(work: Work, branch: Branch, retrier: Retrier, number: int) -> None:
    work.remove_children(branch)
    work.touch(branch)
    delay = delay_before(retrier, number) * (work.draw() if retrier.jitter else 1)
    work.new_token(branch)
    if delay <= 0:
        branch.phase = Phase.ENTERED
        work.wake(branch)
        return
    branch.phase = Phase.BACKOFF
    branch.wake_ms = work.now_ms + round(delay * 1000)
    work.set_timer(branch, branch.wake_ms)


def _catch(
    work: Work, branch: Branch, state: State, catcher: Catcher, error_output: dict[str, str], before_id: int
) -> None:
    try:
        outcome = outcome_of_catching(work, branch, state, catcher, error_output)
        _exit(work, branch, state, outcome, branch.last_event_id)
    except StateFailed as failure:
        branch.last_event_id = before_id
        _fail_in_catcher(work, branch, state, failure)
        return
    work.remove_children(branch)
    branch.map_run_arn, branch.map_run_redrives = None, 0
    _go_on(work, branch, catcher.next)
    work.touch(branch)
    work.wake(branch)


def _fail_in_catcher(work: Work, branch: Branch, state: State, failure: StateFailed) -> None:
    """Fail a second time, by the catcher's own error, which nothing in this state retries or catches."""
    cause = _cause_of(branch, state, failure)
    if failure.location is not None:
        details = {"error": failure.error, "cause": cause, "location": failure.location, "state": state.name}
        work.emit(branch, "EvaluationFailed", details)
    if failure.error == RUNTIME:
        fail_execution(work, branch, failure.error, cause)
        return
    if state.type in _WITH_CHILDREN:
        work.emit(branch, f"{state.type.value}StateFailed")
    _give_up(work, branch, failure.error, cause)


def _give_up(work: Work, branch: Branch, error: str | None, cause: str | None) -> None:
    """Fail the branch: the execution with it, or its parent's state."""
    was_out = branch.phase is Phase.TASK
    branch.phase, branch.error, branch.cause = Phase.FAILED, error, cause
    work.touch(branch)
    if branch.parent_id is None:
        fail_execution(work, branch, error, cause)
        return
    if was_out:  # AWS has this of a task whose failure ends its branch, beside the chain
        work.note(branch.last_event_id, "TaskStateAborted")
    parent = work.execution.branches[branch.parent_id]
    state_above = work.state_of(parent)
    children.note_iteration(work, state_above, branch, "Failed")
    parent.last_event_id = branch.last_event_id
    _recover(work, parent, state_above, error, cause)
