"""Map: its items, each through the same states; inline in this execution, or in child executions of a Map Run.

https://docs.aws.amazon.com/step-functions/latest/dg/state-map.html
"""

from asl_engine.core.children import begin_pending
from asl_engine.core.context import StateEnv
from asl_engine.core.data import integer, selected_input, unexpected_type
from asl_engine.core.execution import Branch, Phase
from asl_engine.core.states.distributed_map import start_map_run
from asl_engine.core.transitions import join
from asl_engine.core.work import PROCESSOR, Work
from asl_engine.definition.program import MapState
from asl_engine.errors import RUNTIME, StateFailed
from asl_engine.jsontext import Json

# AWS: an inline Map runs up to 40 iterations at once, whatever MaxConcurrency says.
# https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html
MAX_INLINE_CONCURRENCY = 40


def execute(work: Work, branch: Branch, state: MapState) -> None:
    """Begin the iterations, or the Map Run."""
    items = None if state.item_reader is not None else items_of(work, branch, state)
    concurrency = concurrency_of(work, branch, state)
    started_id = work.emit(branch, "MapStateStarted", {"length": 0 if items is None else len(items)})
    if state.distributed:
        start_map_run(work, branch, state, items, concurrency)
        return
    _begin_iterations(work, branch, state, items or [], concurrency, started_id)


def concurrency_of(work: Work, branch: Branch, state: MapState) -> int:
    """Return MaxConcurrency, 0 for no limit. Raises StateFailed."""
    concurrency = integer(work, branch, state, "MaxConcurrency", state.max_concurrency) or 0
    if concurrency < 0:
        cause = f"Expected non-negative integer for MaxConcurrency, got '{concurrency}' instead."
        raise StateFailed(RUNTIME, cause, headed=True)
    return concurrency


def _begin_iterations(
    work: Work, branch: Branch, state: MapState, items: list[Json], concurrency: int, started_id: int
) -> None:
    route = (*branch.route, (state.name, PROCESSOR))
    children = work.add_children(branch, [route] * len(items))
    for child, item in zip(children, items, strict=True):
        child.item, child.is_item = item, True
    branch.phase = Phase.CHILDREN
    branch.child_left = len(items)
    branch.child_limit = min(concurrency or MAX_INLINE_CONCURRENCY, MAX_INLINE_CONCURRENCY)
    begin_pending(work, branch, state, started_id)
    if not items:
        join(work, branch, state)


def items_of(work: Work, branch: Branch, state: MapState) -> list[Json]:
    """Return the items that the state's own input or expression gives. Raises StateFailed for what is no array."""
    if state.jsonata:
        value = branch.input if state.items is None else state.items.evaluate(StateEnv(work, branch, branch.input))
        if not isinstance(value, list):
            raise unexpected_type(state, "Items", "array", value)
        return value
    value = selected_input(work, branch, state)
    if state.parameters is not None:
        value = state.parameters.evaluate(StateEnv(work, branch, value))
    if state.items_path is not None:
        value = state.items_path.evaluate(StateEnv(work, branch, value))
    if not isinstance(value, list):
        path = state.raw.get("ItemsPath", "$")
        path = path.removeprefix("$") if path.startswith("$$") else path  # as AWS's library has it
        raise StateFailed(RUNTIME, f'Reference path "{path}" must point to array.', headed=True)
    work.inspect("afterItemsPath", value)
    return value
