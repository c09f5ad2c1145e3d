"""Transitions of a branch: entering, exiting, retrying, catching, failing, and closing the execution.

The functions call each other up the tree of branches: the end of a last child ends its parent's state, and so
does an uncaught failure.
"""

from asl_engine.core.commands import Finished
from asl_engine.core.data import (
    StateEnv,
    StateResult,
    check_size,
    outcome_of,
    outcome_of_catching,
    selected_input,
)
from asl_engine.core.execution import OPEN, Branch, Phase, Status
from asl_engine.core.items import iteration_input, map_item
from asl_engine.core.retry import delay_before, matches, take_retry
from asl_engine.core.work import MAX_EVENTS, Work
from asl_engine.definition.program import Catcher, MapState, Retrier, State, StateType
from asl_engine.errors import RUNTIME, TIMEOUT, StateFailed
from asl_engine.jsontext import Json, dumps

_ENTERED = {kind: f"{kind.value}StateEntered" for kind in StateType}
_EXITED = {kind: f"{kind.value}StateExited" for kind in StateType}
_WITH_CHILDREN = (StateType.MAP, StateType.PARALLEL)
_WITH_ABORTED_EVENT = (StateType.TASK, StateType.WAIT, StateType.MAP, StateType.PARALLEL)


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
    """Exit a state, and continue with the next one or end the branch."""
    _exit(work, branch, state, outcome, branch.last_event_id)
    _go_on(work, branch, next_name)


def _exit(work: Work, branch: Branch, state: State, outcome: StateResult, previous_id: int) -> None:
    """Write the Exited event and set output and variables. Raises StateFailed."""
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
        _succeed_execution(work, branch)
        return
    branch.output, branch.input, branch.input_text, branch.item = branch.input, None, None, None
    branch.variables = {}
    _child_done(work, work.execution.branches[branch.parent_id], branch)


# --- children: a Parallel's branches, an inline Map's iterations ---


def begin_pending(work: Work, parent: Branch, state: State, previous_id: int) -> None:
    """Begin pending children in order, up to the limit. Raises StateFailed if ItemSelector fails."""
    branches, first = work.execution.branches, parent.first_child_id
    while parent.child_running < parent.child_limit and parent.child_next < parent.child_count:
        child = branches[first + parent.child_next]
        parent.child_next += 1
        if child.phase is Phase.PENDING:
            if isinstance(state, MapState):
                child.input = item_input(work, parent, state, child.index, child.item)
            child.last_event_id = previous_id
            child.last_event_id = _note_iteration(work, state, child, "Started") or previous_id
            child.phase = Phase.READY
            parent.child_running += 1
            work.touch(child)
            work.wake(child)


def item_input(work: Work, parent: Branch, state: MapState, index: int, item: Json, key: str | None = None) -> Json:
    """Return an iteration's input: the item, or ItemSelector's value for it."""
    if state.item_selector is None:
        return iteration_input(item, key)
    env = StateEnv(work, parent, selected_input(work, parent, state), item=map_item(index, item, key))
    return state.item_selector.evaluate(env)


def _note_iteration(work: Work, state: State, child: Branch, what: str) -> int | None:
    """Write a MapIteration… event beside the iteration's own chain; a Parallel has none."""
    if state.type is not StateType.MAP:
        return None
    return work.note(child.last_event_id, f"MapIteration{what}", {"name": state.name, "index": child.index})


def _abort_running(work: Work, parent: Branch) -> None:
    for child in work.children_of(parent):
        if child.phase in OPEN:
            _abort(work, child)
    parent.child_running = 0


def _abort(work: Work, branch: Branch) -> None:
    work.cancel(branch)
    _abort_running(work, branch)
    kind = work.state_of(branch).type
    if branch.phase is Phase.MAP_RUN:
        work.note(branch.last_event_id, "MapRunAborted")
    if kind in _WITH_ABORTED_EVENT and branch.phase is not Phase.READY:
        work.note(branch.last_event_id, f"{kind.value}StateAborted")
    if branch.is_item and branch.parent_id is not None:
        _note_iteration(work, work.state_of(work.execution.branches[branch.parent_id]), branch, "Aborted")
    branch.phase = Phase.ABORTED
    work.touch(branch)


def _child_done(work: Work, parent: Branch, child: Branch) -> None:
    """Begin the next child, or leave the state after the last one."""
    state = work.state_of(parent)
    work.touch(parent)
    parent.child_left -= 1
    parent.child_running -= 1
    last_id = _note_iteration(work, state, child, "Succeeded") or child.last_event_id
    if parent.child_left == 0:
        parent.last_event_id = last_id
        join(work, parent, state)
        return
    try:
        begin_pending(work, parent, state, child.last_event_id)
    except StateFailed as failure:
        fail(work, parent, state, failure)


def join(work: Work, parent: Branch, state: State) -> None:
    """Leave a Parallel or a Map with its children's outputs; all are done."""
    results = [child.output for child in work.children_of(parent)]
    conclude(work, parent, state, results, parent.last_event_id)


def conclude(work: Work, parent: Branch, state: State, result: object, before_id: int) -> None:
    """Leave a Parallel or a Map. As on AWS, Exited follows ``before_id``, not Succeeded."""
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
    """Handle a state's failure: retry it, catch it, or fail the parent."""
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
    """Write EvaluationFailed: as on AWS after the event before Entered, except in a Wait."""
    previous_id = branch.last_event_id
    if previous_id == branch.entered_event_id and state.type is not StateType.WAIT:
        previous_id = branch.before_entered_id
    branch.last_event_id = work.note(previous_id, "EvaluationFailed", _evaluation(state, error, cause, location))


def _evaluation(state: State, error: str | None, cause: str | None, location: str) -> dict[str, Json]:
    details = {"error": error, "cause": cause, "state": state.name}
    return details | {"location": location} if location else details


def _recover(
    work: Work, branch: Branch, state: State, error: str | None, cause: str | None, *, is_heartbeat: bool = False
) -> None:
    """Retry, catch or give up. States.Runtime always ends the execution, from within any branch."""
    if error == RUNTIME:
        _fail_execution(work, branch, error, cause)
        return
    _abort_running(work, branch)
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
    """Fail by the catcher's own error, which this state neither retries nor catches."""
    cause = _cause_of(branch, state, failure)
    if failure.location is not None:
        work.emit(branch, "EvaluationFailed", _evaluation(state, failure.error, cause, failure.location))
    if failure.error == RUNTIME:
        _fail_execution(work, branch, failure.error, cause)
        return
    if state.type in _WITH_CHILDREN:
        work.emit(branch, f"{state.type.value}StateFailed")
    _give_up(work, branch, failure.error, cause)


def _give_up(work: Work, branch: Branch, error: str | None, cause: str | None) -> None:
    """Fail the branch, and with it the execution or the parent's state."""
    had_task = branch.phase is Phase.TASK
    branch.phase, branch.error, branch.cause = Phase.FAILED, error, cause
    work.touch(branch)
    if branch.parent_id is None:
        _fail_execution(work, branch, error, cause)
        return
    if had_task:  # AWS writes this beside the chain for a task whose failure ends its branch
        work.note(branch.last_event_id, "TaskStateAborted")
    parent = work.execution.branches[branch.parent_id]
    parent_state = work.state_of(parent)
    _note_iteration(work, parent_state, branch, "Failed")
    parent.last_event_id = branch.last_event_id
    _recover(work, parent, parent_state, error, cause)


# --- the end of the execution ---


def _succeed_execution(work: Work, root: Branch) -> None:
    execution = work.execution
    text = work.input_text(root)
    work.emit(root, "ExecutionSucceeded", {"output": text})
    execution.output, execution.output_text = root.input, text
    _close(work, Status.SUCCEEDED)


def _fail_execution(work: Work, branch: Branch, error: str | None, cause: str | None) -> None:
    branch.phase, branch.error, branch.cause = Phase.FAILED, error, cause
    if work.execution.next_event_id >= work.max_events:
        fail_for_history(work)
        return
    work.emit(branch, "ExecutionFailed", _reason(error, cause))
    work.execution.error, work.execution.cause = error, cause
    _close(work, Status.FAILED)


def fail_for_history(work: Work) -> None:
    """Close the execution because its history has room for one more event only."""
    execution = work.execution
    cause = f"The execution reached the maximum number of history events ({MAX_EVENTS})."
    work.note(execution.next_event_id - 1, "ExecutionFailed", _reason(RUNTIME, cause))
    execution.error, execution.cause = RUNTIME, cause
    _close(work, Status.FAILED)


def abort_execution(work: Work, error: str | None, cause: str | None) -> None:
    """Close the execution because it is stopped. Its open states leave no event."""
    work.note(0, "ExecutionAborted", _reason(error, cause))
    work.execution.error, work.execution.cause = error, cause
    _close(work, Status.ABORTED)


def time_execution_out(work: Work) -> None:
    """Close the execution at its timeout. Only the history has States.Timeout."""
    work.note(0, "ExecutionTimedOut", {"error": TIMEOUT})
    _close(work, Status.TIMED_OUT)


def _reason(error: str | None, cause: str | None) -> dict[str, str]:
    return {name: text for name, text in (("error", error), ("cause", cause)) if text is not None}


def _close(work: Work, status: Status) -> None:
    """Close the execution, and keep only the branches that a redrive needs."""
    execution = work.execution
    execution.status, execution.stop_ms, execution.timeout_ms = status, work.now_ms, None
    work.ready.clear()
    is_redrivable = status is not Status.SUCCEEDED and not execution.express
    for branch in execution.branches.values():
        work.cancel(branch)
        if is_redrivable and branch.phase in OPEN:
            branch.phase = Phase.ABORTED
            work.touch(branch)
        elif is_redrivable and branch.phase is Phase.FAILED:
            work.touch(branch)
    if not is_redrivable:
        execution.removed.update(execution.branches)
        execution.changed.clear()
        execution.branches.clear()
    work.commands.append(Finished())
