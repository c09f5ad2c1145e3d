"""A Parallel's branches and an inline Map's iterations: begun as concurrency allows, aborted together."""

from asl_engine.core.context import StateEnv
from asl_engine.core.data import selected_input
from asl_engine.core.execution import OPEN, Branch, Phase
from asl_engine.core.work import Work
from asl_engine.definition.program import MapState, State, StateType
from asl_engine.jsontext import Json

_ABORTED = {
    StateType.TASK: "TaskStateAborted",
    StateType.WAIT: "WaitStateAborted",
    StateType.MAP: "MapStateAborted",
    StateType.PARALLEL: "ParallelStateAborted",
}


def begin_pending(work: Work, parent: Branch, state: State, previous_id: int) -> None:
    """Begin children in their order until as many run as may. Raises StateFailed where an item cannot be selected."""
    branches, first = work.execution.branches, parent.first_child_id
    while parent.child_running < parent.child_limit and parent.child_next < parent.child_count:
        child = branches[first + parent.child_next]
        parent.child_next += 1
        if child.phase is Phase.PENDING:
            if isinstance(state, MapState):
                child.input = item_input(work, parent, state, child.index, child.item)
            child.last_event_id = previous_id
            child.last_event_id = note_iteration(work, state, child, "Started") or previous_id
            child.phase = Phase.READY
            parent.child_running += 1
            work.touch(child)
            work.wake(child)


def item_input(work: Work, parent: Branch, state: MapState, index: int, item: Json) -> Json:
    """Return an iteration's input: the item, or what ItemSelector makes of it."""
    if state.item_selector is None:
        return item
    value = parent.input if state.jsonata else selected_input(work, parent, state)
    return state.item_selector.evaluate(StateEnv(work, parent, value, item={"Index": index, "Value": item}))


def note_iteration(work: Work, state: State, child: Branch, what: str) -> int | None:
    """Write a MapIteration… event, which is beside the iteration's own chain; None for a Parallel, which has none."""
    if state.type is not StateType.MAP:
        return None
    return work.note(child.last_event_id, f"MapIteration{what}", {"name": state.name, "index": child.index})


def abort_running(work: Work, parent: Branch) -> None:
    """Abort the children that are under way, and those below them."""
    for child in work.children_of(parent):
        if child.phase in OPEN:
            _abort(work, child)
    parent.child_running = 0


def _abort(work: Work, branch: Branch) -> None:
    work.cancel(branch)
    abort_running(work, branch)
    state = work.state_of(branch)
    if branch.phase is Phase.MAP_RUN:
        work.note(branch.last_event_id, "MapRunAborted")
    kind = _ABORTED.get(state.type)
    if kind is not None and branch.phase is not Phase.READY:
        work.note(branch.last_event_id, kind)
    if branch.is_item and branch.parent_id is not None:
        note_iteration(work, work.state_of(work.execution.branches[branch.parent_id]), branch, "Aborted")
    branch.phase = Phase.ABORTED
    work.touch(branch)
