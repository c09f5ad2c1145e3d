"""A distributed Map in its parent execution: it starts a Map Run and waits for its end.

https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
"""

from asl_engine.core.commands import RedriveMapRun, StartMapRun
from asl_engine.core.context import StateEnv, context_object
from asl_engine.core.data import integer, no_number, selected_input
from asl_engine.core.events import MapRunEnded
from asl_engine.core.execution import Branch, Phase
from asl_engine.core.map_run import BatchSettings, MapRunSettings
from asl_engine.core.transitions import conclude, fail
from asl_engine.core.work import Work
from asl_engine.definition.program import MapState, State
from asl_engine.errors import RUNTIME, StateFailed
from asl_engine.jsontext import Json
from asl_engine.language.env import Expression


def start_map_run(work: Work, branch: Branch, state: MapState, items: list[Json] | None, concurrency: int) -> None:
    """Start a Map Run. Raises StateFailed where its settings cannot be evaluated."""
    settings = _settings(work, branch, state, concurrency)
    label = state.label or work.draw_uuid()
    branch.map_run_arn = _arn(work, label)
    branch.map_run_redrives = 0
    branch.phase = Phase.MAP_RUN
    work.new_token(branch)
    work.emit(branch, "MapRunStarted", {"mapRunArn": branch.map_run_arn})
    work.commands.append(StartMapRun(branch.id, branch.token, branch.map_run_arn, items, settings))


def redrive_map_run(work: Work, branch: Branch) -> None:
    """Have the Map Run that failed run its failed children again."""
    branch.phase = Phase.MAP_RUN
    branch.map_run_redrives += 1
    work.new_token(branch)
    details = {"mapRunArn": branch.map_run_arn, "redriveCount": branch.map_run_redrives}
    work.emit(branch, "MapRunRedriven", details)
    work.commands.append(RedriveMapRun(branch.id, branch.token, branch.map_run_arn or ""))


def ended(work: Work, branch: Branch, state: State, event: MapRunEnded) -> None:
    """Leave the state with the Map Run's results, or fail it."""
    if event.error is None:
        work.emit(branch, "MapRunSucceeded")
        conclude(work, branch, state, event.output, branch.last_event_id)
        return
    details = {"error": event.error} if event.cause is None else {"error": event.error, "cause": event.cause}
    work.emit(branch, "MapRunFailed", details)
    fail(work, branch, state, StateFailed(event.error, event.cause))


def _arn(work: Work, label: str) -> str:
    parts = work.execution.state_machine_arn.split(":")
    return ":".join([*parts[:5], "mapRun", f"{parts[6]}/{label}", work.draw_uuid()])


def _settings(work: Work, branch: Branch, state: MapState, concurrency: int) -> MapRunSettings:
    return MapRunSettings(
        state=state.name,
        route=branch.route,
        express=state.express_children,
        max_concurrency=concurrency,
        tolerated_failure_count=tolerated_count(work, branch, state),
        tolerated_failure_percentage=tolerated_percentage(work, branch, state),
        reader=_reader(work, branch, state),
        batcher=batch_settings(work, branch, state),
        writer=_writer(work, branch, state),
        input=branch.input if state.jsonata else selected_input(work, branch, state),
        raw_input=branch.input,
        context=context_object(work, branch),
        variables=branch.variables,
    )


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
    percentage = state.tolerated_failure_percentage.evaluate(StateEnv(work, branch, branch.input))
    if not isinstance(percentage, int | float) or isinstance(percentage, bool):
        raise no_number(state, "ToleratedFailurePercentage", "float", percentage)
    if not 0 <= percentage <= 100:
        raise StateFailed(RUNTIME, "ToleratedFailurePercentage must be between 0 and 100.", headed=True)
    return float(percentage)


def _reader(work: Work, branch: Branch, state: MapState) -> dict[str, Json] | None:
    reader = state.item_reader
    if reader is None:
        return None
    config = dict(reader.config or {})
    config.pop("MaxItemsPath", None)
    config["MaxItems"] = integer(work, branch, state, "MaxItems", reader.max_items)
    return {
        "resource": reader.resource,
        "parameters": _evaluated(work, branch, state, reader.parameters),
        "config": config,
    }


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
    value = branch.input if state.jsonata else selected_input(work, branch, state)
    return expression.evaluate(StateEnv(work, branch, value))
