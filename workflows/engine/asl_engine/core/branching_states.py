"""Parallel and Map, with children in this execution or in a Map Run.

https://docs.aws.amazon.com/step-functions/latest/dg/state-parallel.html
https://docs.aws.amazon.com/step-functions/latest/dg/state-map.html
"""

from asl_engine.core.commands import RedriveMapRun, StartMapRun
from asl_engine.core.data import (
    StateEnv,
    context_object,
    effective_input,
    integer,
    real_number,
    selected_input,
    unexpected_type,
)
from asl_engine.core.events import MapRunEnded
from asl_engine.core.execution import Branch, Phase
from asl_engine.core.items import Items
from asl_engine.core.map_run import BatchSettings, MapRunSettings
from asl_engine.core.transitions import begin_pending, conclude, fail, join
from asl_engine.core.work import PROCESSOR, Work
from asl_engine.definition.program import MapState, ParallelState, State
from asl_engine.errors import QUERY_EVALUATION_ERROR, RUNTIME, StateFailed
from asl_engine.jsontext import Json
from asl_engine.language.env import Expression

# AWS runs at most 40 iterations of an inline Map at once, whatever MaxConcurrency is.
# https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html
MAX_INLINE_CONCURRENCY = 40
# Only a distributed Map iterates over an object: recordings of an inline one refuse it, although the documentation
# of ItemsPath has both. https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemspath.html
_KINDS_OF_ITEMS = {False: (list,), True: (list, dict)}


def execute_parallel(work: Work, branch: Branch, state: ParallelState) -> None:
    """Begin all branches, each with the same input."""
    value = effective_input(work, branch, state)
    started_id = work.emit(branch, "ParallelStateStarted")
    count = len(state.branches)
    for child in work.add_children(branch, [(*branch.route, (state.name, number)) for number in range(count)]):
        child.input = value
    _begin_children(work, branch, state, count, started_id)


def execute_map(work: Work, branch: Branch, state: MapState) -> None:
    """Begin the iterations, or the Map Run."""
    items = None if state.item_reader is not None else items_of(work, branch, state)
    concurrency = concurrency_of(work, branch, state)
    started_id = work.emit(branch, "MapStateStarted", {"length": 0 if items is None else len(items)})
    if state.distributed:
        _start_map_run(work, branch, state, items, concurrency)
        return
    items = items or []
    route = (*branch.route, (state.name, PROCESSOR))
    for child, item in zip(work.add_children(branch, [route] * len(items)), items, strict=True):
        child.item, child.is_item = item, True
    limit = min(concurrency or MAX_INLINE_CONCURRENCY, MAX_INLINE_CONCURRENCY)
    _begin_children(work, branch, state, limit, started_id)


def _begin_children(work: Work, branch: Branch, state: State, limit: int, started_id: int) -> None:
    branch.phase = Phase.CHILDREN
    branch.child_left, branch.child_limit = branch.child_count, limit
    begin_pending(work, branch, state, started_id)
    if not branch.child_count:
        join(work, branch, state)


def items_of(work: Work, branch: Branch, state: MapState) -> Items:
    """Return the items of the state's input or expression. Raises StateFailed."""
    if state.jsonata:
        return _jsonata_items(work, branch, state)
    value = selected_input(work, branch, state)
    if state.parameters is not None:
        value = state.parameters.evaluate(StateEnv(work, branch, value))
    if state.items_path is not None:
        value = state.items_path.evaluate(StateEnv(work, branch, value))
    if not isinstance(value, _KINDS_OF_ITEMS[state.distributed]):
        path = state.raw.get("ItemsPath", "$")
        path = path.removeprefix("$") if path.startswith("$$") else path  # as AWS's library prints it
        raise StateFailed(RUNTIME, f'Reference path "{path}" must point to array.', headed=True)
    work.inspect("afterItemsPath", value)
    items: Items = value
    return items


def _jsonata_items(work: Work, branch: Branch, state: MapState) -> Items:
    value = branch.input if state.items is None else state.items.evaluate(StateEnv(work, branch, branch.input))
    if state.items is None and not isinstance(value, list):
        cause = f"Map state input must be an array but was: {work.input_text(branch)}"
        raise StateFailed(QUERY_EVALUATION_ERROR, cause, location="", headed=True)
    if not isinstance(value, _KINDS_OF_ITEMS[state.distributed]):
        raise unexpected_type(state, "Items", "array", value)
    items: Items = value
    return items


def concurrency_of(work: Work, branch: Branch, state: MapState) -> int:
    """Return MaxConcurrency, 0 for no limit. Raises StateFailed."""
    concurrency = integer(work, branch, state, "MaxConcurrency", state.max_concurrency) or 0
    if concurrency < 0:
        cause = f"Expected non-negative integer for MaxConcurrency, got '{concurrency}' instead."
        raise StateFailed(RUNTIME, cause, headed=True)
    return concurrency


# --- distributed Map: https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html ---


def _start_map_run(work: Work, branch: Branch, state: MapState, items: Items | None, concurrency: int) -> None:
    settings = MapRunSettings(
        state=state.name,
        route=branch.route,
        express=state.express_children,
        max_concurrency=concurrency,
        tolerated_failure_count=tolerated_count(work, branch, state),
        tolerated_failure_percentage=tolerated_percentage(work, branch, state),
        reader=_reader(work, branch, state),
        batcher=batch_settings(work, branch, state),
        writer=_writer(work, branch, state),
        input=selected_input(work, branch, state),
        raw_input=branch.input,
        context=context_object(work, branch),
        variables=branch.variables,
    )
    owner = work.execution.state_machine_arn.split(":")
    label = state.label or work.draw_uuid()
    branch.map_run_arn = ":".join([*owner[:5], "mapRun", f"{owner[6]}/{label}", work.draw_uuid()])
    branch.map_run_redrives = 0
    branch.phase = Phase.MAP_RUN
    work.new_token(branch)
    work.emit(branch, "MapRunStarted", {"mapRunArn": branch.map_run_arn})
    work.commands.append(StartMapRun(branch.id, branch.token, branch.map_run_arn, items, settings))


def redrive_map_run(work: Work, branch: Branch) -> None:
    """Redrive a failed Map Run: its failed children run again."""
    branch.phase = Phase.MAP_RUN
    branch.map_run_redrives += 1
    work.new_token(branch)
    details = {"mapRunArn": branch.map_run_arn, "redriveCount": branch.map_run_redrives}
    work.emit(branch, "MapRunRedriven", details)
    work.commands.append(RedriveMapRun(branch.id, branch.token, branch.map_run_arn or ""))


def map_run_ended(work: Work, branch: Branch, state: State, event: MapRunEnded) -> None:
    """Leave the state with the Map Run's results, or fail it."""
    if event.error is None:
        work.emit(branch, "MapRunSucceeded")
        conclude(work, branch, state, event.output, branch.last_event_id)
        return
    details = {"error": event.error} if event.cause is None else {"error": event.error, "cause": event.cause}
    work.emit(branch, "MapRunFailed", details)
    fail(work, branch, state, StateFailed(event.error, event.cause))


def tolerated_count(work: Work, branch: Branch, state: MapState) -> int | None:
    """Return ToleratedFailureCount. Raises StateFailed."""
    count = integer(work, branch, state, "ToleratedFailureCount", state.tolerated_failure_count)
    if count is not None and count < 0:
        raise StateFailed(RUNTIME, "ToleratedFailureCount cannot be negative.", headed=True)
    return count


def tolerated_percentage(work: Work, branch: Branch, state: MapState) -> float | None:
    """Return ToleratedFailurePercentage. Raises StateFailed."""
    if state.tolerated_failure_percentage is None:
        return None
    percentage = real_number(work, branch, state, "ToleratedFailurePercentage", state.tolerated_failure_percentage)
    if not 0 <= percentage <= 100:
        raise StateFailed(RUNTIME, "ToleratedFailurePercentage must be between 0 and 100.", headed=True)
    return percentage


def _reader(work: Work, branch: Branch, state: MapState) -> dict[str, Json] | None:
    reader = state.item_reader
    if reader is None:
        return None
    config = dict(reader.config or {})
    config.pop("MaxItemsPath", None)
    config["MaxItems"] = integer(work, branch, state, "MaxItems", reader.max_items)
    parameters = _evaluated(work, branch, state, reader.parameters)
    return {"resource": reader.resource, "parameters": parameters, "config": config}


def batch_settings(work: Work, branch: Branch, state: MapState) -> BatchSettings | None:
    """Return ItemBatcher evaluated. Raises StateFailed."""
    batcher = state.item_batcher
    if batcher is None:
        return None
    items = integer(work, branch, state, "MaxItemsPerBatch", batcher.max_items)
    size = integer(work, branch, state, "MaxInputBytesPerBatch", batcher.max_bytes)
    return BatchSettings(items, size, _evaluated(work, branch, state, batcher.batch_input))


def _writer(work: Work, branch: Branch, state: MapState) -> dict[str, Json] | None:
    writer = state.result_writer
    if writer is None:
        return None
    parameters = _evaluated(work, branch, state, writer.parameters)
    return {"resource": writer.resource, "parameters": parameters, "config": writer.config}


def _evaluated(work: Work, branch: Branch, state: MapState, expression: Expression | None) -> Json:
    if expression is None:
        return None
    return expression.evaluate(StateEnv(work, branch, selected_input(work, branch, state)))
