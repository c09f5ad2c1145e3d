"""TestState: one state, tried alone."""

import uuid

from asl_engine.adapters.performer import TaskCall, TaskError
from asl_engine.adapters.service_models import problems_with
from asl_engine.definition.checks import check, check_state
from asl_engine.definition.compiler import compile_state
from asl_engine.definition.program import State, TaskState
from asl_engine.definition.resources import ResourceKind, parse_resource
from asl_engine.errors import StateFailed
from asl_engine.jsontext import Json, dumps, loads
from asl_engine.language.times import print_timestamp
from asl_engine.server.api_errors import refuse_definition, validation_error
from asl_engine.server.operation import ApiCall
from asl_engine.server.test_request import (
    MOCKED_TYPES,
    STATE_NAME,
    Located,
    Mock,
    TrialRequest,
    check_context,
    check_mocked_shape,
    locate,
    parsed,
    read_mock,
)
from asl_engine.server.test_state import evaluate_state


def test_state(call: ApiCall) -> Json:
    """TestState. Nothing is started or kept; a Task without a mock calls its service."""
    asked = call.arguments
    located = _checked(asked["definition"], asked.get("stateName"))
    kind = located.node["Type"]
    mock = read_mock(asked.get("mock"), kind)
    if kind == "Task" and mock is None and not asked.get("roleArn"):
        raise validation_error("RoleArn must be specified when testing a Task state")
    request = _request(call, located, mock)
    answer, inspection = evaluate_state(request, lambda *task: _called(call, *task))
    if asked.get("inspectionLevel", "INFO") != "INFO":
        answer["inspectionData"] = inspection
    return answer


def _checked(definition: str, state_name: str | None) -> Located:
    """Find the state under test. Raises InvalidDefinition if its definition has an error."""
    refuse_definition(check_state(definition) if state_name is None else check(definition), definition)
    return locate(loads(definition), state_name)


def _request(call: ApiCall, located: Located, mock: Mock | None) -> TrialRequest:
    asked = call.arguments
    configuration = asked.get("stateConfiguration") or {}
    state = compile_state(asked.get("stateName", STATE_NAME), located.node, jsonata=located.jsonata)
    if mock is not None:
        check_mocked_shape(state, mock)
        _check_mocked_result(state, mock)
    value = parsed(asked.get("input", "{}"), "input")
    retries = configuration.get("retrierRetryCount", 0)
    return TrialRequest(
        state=state,
        input=value,
        context=_context(call, value, state.type, retries),
        variables=parsed(asked["variables"], "variables") if "variables" in asked else {},
        has_variables="variables" in asked,
        mock=mock,
        retry_count=retries,
        failure_count=configuration.get("mapIterationFailureCount"),
        reader_data=parsed(configuration.get("mapItemReaderData", "null"), "mapItemReaderData"),
    )


def _check_mocked_result(state: State, mock: Mock) -> None:
    """Raise ValidationException for a mocked result that the Task's service could not have answered."""
    if not isinstance(state, TaskState) or mock.failed:
        return
    resource = parse_resource(state.resource)
    if resource.kind not in (ResourceKind.SERVICE, ResourceKind.SDK):
        return
    service = f"aws-sdk:{resource.service}" if resource.kind == ResourceKind.SDK else resource.service
    for problem in problems_with(service, resource.action, mock.result, mock.validation_mode):
        raise validation_error(f"Mock result schema validation error: {problem}")


def _context(call: ApiCall, value: Json, kind: str, retries: int) -> Json:
    """Return the context object: the given one, or that of an execution which is not there."""
    asked = call.arguments
    if "context" in asked:
        context = parsed(asked["context"], "context")
        check_context(context)
        return context
    machine, name, now = str(uuid.uuid4()), str(uuid.uuid4()), print_timestamp(call.now_ms())
    state: dict[str, Json] = {"Name": STATE_NAME, "EnteredTime": now}
    if kind in MOCKED_TYPES:
        state["RetryCount"] = retries
    return {
        "Execution": {
            "Id": call.account.arn("express", machine, name),
            "Input": value,
            "Name": name,
            "RoleArn": asked.get("roleArn"),
            "StartTime": now,
        },
        "StateMachine": {"Id": call.account.arn("stateMachine", machine), "Name": machine},
        "State": state,
    }


def _called(call: ApiCall, resource: str, parameters: Json, credentials: Json) -> Json:
    try:
        return call.engine.perform(
            TaskCall(resource, parameters, region=call.account.region, credentials=credentials, timeout_seconds=300)
        )
    except TaskError as error:
        cause = error.cause if isinstance(error.cause, str) or error.cause is None else dumps(error.cause)
        raise StateFailed(error.error, cause) from None
