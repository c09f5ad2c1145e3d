"""Describe, list and update Map Runs."""

from collections.abc import Mapping

from asl_engine.errors import ExecutionDoesNotExist
from asl_engine.jsontext import Json
from asl_engine.server.api_errors import api_error, validation_error
from asl_engine.server.arns import parse_arn
from asl_engine.server.operation import ApiCall, seconds

MAP_RUN = "map_run"
_CHANGES = {
    "maxConcurrency": "max_concurrency",
    "toleratedFailureCount": "tolerated_failure_count",
    "toleratedFailurePercentage": "tolerated_failure_percentage",
}
_TIMES = ("startDate", "stopDate", "redriveDate")


def _known(call: ApiCall) -> dict[str, Json]:
    arn = parse_arn(call.arguments["mapRunArn"], "mapRun").text
    found = call.engine.map_runs.describe(arn)
    if found is None:
        raise api_error("ResourceNotFound", arn)
    return found


def _shown(described: Mapping[str, Json]) -> dict[str, Json]:
    shown = {name: value for name, value in described.items() if value is not None}
    return shown | {name: seconds(shown[name]) for name in _TIMES if name in shown}


def describe_map_run(call: ApiCall) -> Json:
    """DescribeMapRun."""
    return _shown(_known(call))


def list_map_runs(call: ApiCall) -> Json:
    """ListMapRuns of an execution, the latest first."""
    arn = parse_arn(call.arguments["executionArn"], "execution").text
    record = call.store.execution(arn)
    if record is None:
        raise ExecutionDoesNotExist(arn)
    page, more = call.documents(MAP_RUN, arn, descending=True)
    listed = ("executionArn", "mapRunArn", "startDate", "stopDate")
    runs = [
        {"stateMachineArn": record.state_machine_arn}
        | {name: value for name, value in _shown(one.body).items() if name in listed}
        for one in page
    ]
    return {"mapRuns": runs, **more}


def update_map_run(call: ApiCall) -> Json:
    """UpdateMapRun: how many children run at once, and how many may fail. Only while it runs."""
    asked = call.arguments
    changes = {_CHANGES[name]: asked[name] for name in _CHANGES if asked.get(name) is not None}
    if not changes:
        raise validation_error(f"At least one of [{', '.join(_CHANGES)}] must be specified")
    described = _known(call)
    if described["status"] != "RUNNING":
        raise api_error(
            "ValidationException", f"Map Run is {described['status']} and cannot be updated: '{asked['mapRunArn']}'"
        )
    call.engine.map_runs.update(asked["mapRunArn"], **changes)
    return {}
