"""A distributed Map in its parent execution: it starts a Map Run and waits for its end.

https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
"""

from asl_engine.core.commands import RedriveMapRun, StartMapRun
from asl_engine.core.context import StateEnv, context_object
from asl_engine.core.data import integer, no_number, selected_input
from asl_engine.core.events import MapRunEnded
from asl_engine.core.execution import Branch, Phase
from asl_engine.core.maprun import BatchSettings, MapRunSettings
from asl_engine.core.run import Run
from asl_engine.core.transitions import conclude, fail
from asl_engine.definition.program import MapState, State
from asl_engine.errors import RUNTIME, StateFailed
from asl_engine.jsontext import Json
from asl_engine.language.protocols import Expression


def start_map_run(run: Run, branch: Branch, state: MapState, items: list[Json] | None, concurrency: int) -> None:
    """Start a Map Run. Raises StateFailed where its settings can not be evaluated."""
    settings = _settings(run, branch, state, concurrency)
    label = state.label or run.draw_uuid()
    branch.map_run_arn = _arn(run, label)
    branch.map_run_redrives = 0
    branch.phase = Phase.MAP_RUN
    run.new_token(branch)
    run.emit(branch, "MapRunStarted", {"mapRunArn": branch.map_run_arn})
    run.commands.append(StartMapRun(branch.id, branch.token, branch.map_run_arn, items, settings))


def redrive_map_run(run: Run, branch: Branch) -> None:
    """Have the Map Run that failed run its failed children again."""
    branch.phase = Phase.MAP_RUN
    branch.map_run_redrives += 1
    run.new_token(branch)
    details = {"mapRunArn": branch.map_run_arn, "redriveCount": branch.map_run_redrives}
    run.emit(branch, "MapRunRedriven", details)
    run.commands.append(RedriveMapRun(branch.id, branch.token, branch.map_run_arn or ""))


def ended(run: Run, branch: Branch, state: State, event: MapRunEnded) -> None:
    """Leave the state with the Map Run's results, or fail it."""
    if event.error is None:
        run.emit(branch, "MapRunSucceeded")
        conclude(run, branch, state, event.output, branch.last_event_id)
        return
    details = {"error": event.error} if event.cause is None else {"error": event.error, "cause": event.cause}
    run.emit(branch, "MapRunFailed", details)
    fail(run, branch, state, StateFailed(event.error, event.cause))


def _arn(run: Run, label: str) -> str:
    parts = run.execution.state_machine_arn.split(":")
    return ":".join([*parts[:5], "mapRun", f"{parts[6]}/{label}", run.draw_uuid()])


def _settings(run: Run, branch: Branch, state: MapState, concurrency: int) -> MapRunSettings:
    return MapRunSettings(
        state=state.name,
        route=branch.route,
        express=state.express_children,
        max_concurrency=concurrency,
        tolerated_failure_count=_tolerated_count(run, branch, state),
        tolerated_failure_percentage=_tolerated_percentage(run, branch, state),
        reader=_reader(run, branch, state),
        batcher=_batcher(run, branch, state),
        writer=_writer(run, branch, state),
        input=branch.input if state.jsonata else selected_input(run, branch, state),
        raw_input=branch.input,
        context=context_object(run, branch),
        variables=branch.variables,
    )


def _tolerated_count(run: Run, branch: Branch, state: MapState) -> int | None:
    count = state.tolerated_failure_count
    if state.tolerated_failure_count_expression is not None:
        count = integer(run, branch, state, "ToleratedFailureCount", state.tolerated_failure_count_expression)
    if count is not None and count < 0:
        raise StateFailed(RUNTIME, "ToleratedFailureCount cannot be negative.", headed=True)
    return count


def _tolerated_percentage(run: Run, branch: Branch, state: MapState) -> float | None:
    percentage = state.tolerated_failure_percentage
    if state.tolerated_failure_percentage_expression is not None:
        percentage = _number(
            run, branch, state, "ToleratedFailurePercentage", state.tolerated_failure_percentage_expression
        )
    if percentage is not None and not 0 <= percentage <= 100:
        raise StateFailed(RUNTIME, "ToleratedFailurePercentage must be between 0 and 100.", headed=True)
    return percentage


def _number(run: Run, branch: Branch, state: MapState, field: str, expression: Expression) -> float:
    value = expression.evaluate(StateEnv(run, branch, branch.input))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise no_number(state, field, "float", value)


def _reader(run: Run, branch: Branch, state: MapState) -> dict[str, Json] | None:
    reader = state.item_reader
    if reader is None:
        return None
    config = dict(reader.config or {})
    if reader.max_items_expression is not None:
        config.pop("MaxItemsPath", None)
        config["MaxItems"] = integer(run, branch, state, "MaxItems", reader.max_items_expression)
    return {
        "resource": reader.resource,
        "parameters": _evaluated(run, branch, state, reader.parameters),
        "config": config,
    }


def _batcher(run: Run, branch: Branch, state: MapState) -> BatchSettings | None:
    batcher = state.item_batcher
    if batcher is None:
        return None
    items, size = batcher.max_items, batcher.max_bytes
    if batcher.max_items_expression is not None:
        items = integer(run, branch, state, "MaxItemsPerBatch", batcher.max_items_expression)
    if batcher.max_bytes_expression is not None:
        size = integer(run, branch, state, "MaxInputBytesPerBatch", batcher.max_bytes_expression)
    return BatchSettings(items, size, _evaluated(run, branch, state, batcher.batch_input))


def _writer(run: Run, branch: Branch, state: MapState) -> dict[str, Json] | None:
    writer = state.result_writer
    if writer is None:
        return None
    parameters = _evaluated(run, branch, state, writer.parameters)
    return {"resource": writer.resource, "parameters": parameters, "config": writer.config}


def _evaluated(run: Run, branch: Branch, state: MapState, expression: Expression | None) -> Json:
    if expression is None:
        return None
    value = branch.input if state.jsonata else selected_input(run, branch, state)
    return expression.evaluate(StateEnv(run, branch, value))
