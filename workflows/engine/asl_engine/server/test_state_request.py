"""What TestState is asked, read and checked: the state, its input, context and variables, the mock.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_TestState.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from asl_engine.adapters.service_json import problems_with
from asl_engine.definition.compiler import speaks_jsonata
from asl_engine.definition.program import MapState, ParallelState, State, StateType, TaskState
from asl_engine.definition.resources import ResourceKind, parse_resource
from asl_engine.errors import ApiError
from asl_engine.jsontext import Json, loads
from asl_engine.server.api_errors import api_error, validation_error

MOCKED_TYPES = (StateType.TASK, StateType.MAP, StateType.PARALLEL)
STATE_NAME = "StateName"  # what AWS calls the state under test in its context, whatever its name

# The fields of a context object and the kinds of their values.
# https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html
_CONTEXT: Mapping[str, Any] = {
    "Execution": {
        "Id": str,
        "Input": object,
        "Name": str,
        "RoleArn": str,
        "StartTime": str,
        "RedriveCount": int,
        "RedriveTime": str,
    },
    "State": {"EnteredTime": str, "Name": str, "RetryCount": int},
    "StateMachine": {"Id": str, "Name": str},
    "Task": {"Token": str},
    "Map": {"Item": {"Index": int, "Value": object, "Key": str, "Source": str}},
}
_KIND_NAMES = {str: "a string", int: "a number"}


@dataclass(frozen=True, slots=True)
class Mock:
    """What stands for the state's work: a result, or an error."""

    result: Json = None
    error: str | None = None
    cause: str | None = None
    failed: bool = False
    validation_mode: str = "STRICT"


@dataclass(frozen=True, slots=True)
class Located:
    """A state found in a definition, and the query language around it."""

    node: dict[str, Json]
    jsonata: bool = False


def parsed(text: str, field_name: str) -> Json:
    """Return the value of a field that holds JSON. Raises ValidationException, or InvalidExecutionInput for input."""
    try:
        return loads(text)
    except ValueError as problem:
        if field_name == "input":
            raise api_error("InvalidExecutionInput", str(problem)) from None
        raise validation_error(f"Invalid JSON in {field_name}: {problem}") from None


def locate(definition: Json, name: str | None) -> Located:
    """Find the state under test: the definition itself, or the one of that name anywhere within a machine."""
    if name is None:
        if "States" in definition and "Type" not in definition:
            raise validation_error("stateName must be specified when the definition is a state machine")
        return Located(definition)
    for found in _states_within(definition, name, jsonata=False):
        return found
    raise validation_error("State not found in definition")


def _states_within(machine: Json, name: str, *, jsonata: bool) -> Iterator[Located]:
    if not isinstance(machine, dict) or not isinstance(machine.get("States"), dict):
        return
    jsonata = speaks_jsonata(machine, jsonata)
    for own_name, node in machine["States"].items():
        if own_name == name:
            yield Located(node, jsonata)
        inner = speaks_jsonata(node, jsonata) if isinstance(node, dict) else jsonata
        for part in _machines_of(node):
            yield from _states_within(part, name, jsonata=inner)


def _machines_of(node: Json) -> list[Json]:
    if not isinstance(node, dict):
        return []
    processor = node.get("ItemProcessor", node.get("Iterator"))
    return [*(node.get("Branches") or ()), *([processor] if processor else ())]


def read_mock(given: Json, kind: str) -> Mock | None:
    """Return the mock of a request, None without one. Raises what AWS says of one that cannot be."""
    if given is None or ("result" not in given and "errorOutput" not in given):
        if kind in (StateType.MAP, StateType.PARALLEL):
            supported = "Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]"
            raise ApiError("InvalidDefinition", f"TestState API does not support Map or Parallel states. {supported}")
        return None
    if "result" in given and "errorOutput" in given:
        raise api_error(
            "ValidationException", "A test mock should have only one of the following fields: [result, errorOutput]."
        )
    if kind not in MOCKED_TYPES:
        raise validation_error(f"State type '{kind}' is not supported when a mock is specified")
    mode = given.get("fieldValidationMode", "STRICT")
    if "errorOutput" in given:
        error = given["errorOutput"]
        return Mock(error=error.get("error"), cause=error.get("cause"), failed=True, validation_mode=mode)
    return Mock(result=parsed(given["result"], "mock.result"), validation_mode=mode)


def check_mocked_result(state: State, mock: Mock) -> None:
    """Raise ValidationException for a mocked result that the state, or a Task's service, could not have."""
    if mock.failed:
        return
    if isinstance(state, MapState) and state.result_writer is not None:
        if not isinstance(mock.result, dict):
            raise validation_error("Mocked result must be a JSON object.")
    elif isinstance(state, MapState | ParallelState) and not isinstance(mock.result, list):
        raise validation_error("Mocked result must be an array.")
    elif isinstance(state, ParallelState) and len(mock.result) != len(state.branches):
        raise validation_error("Mocked result must contain the same number of items as number of Parallel branches.")
    elif isinstance(state, TaskState) and (resource := parse_resource(state.resource)).is_integration:
        service = f"aws-sdk:{resource.service}" if resource.kind is ResourceKind.SDK else resource.service
        for problem in problems_with(service, resource.action, mock.result, mock.validation_mode):
            raise validation_error(f"Mock result schema validation error: {problem}")


def check_context(context: Json) -> None:
    """Raise ValidationException for a context object with a field that is none of AWS's."""
    _check_context(context, _CONTEXT, "context")


def _check_context(value: Json, fields: Mapping[str, Any], at: str) -> None:
    if not isinstance(value, dict):
        raise validation_error(f"Invalid Context object provided: Field '{at}' must be an object")
    for name, inner in value.items():
        kind = fields.get(name)
        if kind is None:
            raise validation_error(f"Invalid Context object provided: Field '{name}' is not allowed")
        if isinstance(kind, dict):
            _check_context(inner, kind, name)
        elif not isinstance(inner, kind):
            raise api_error(
                "ValidationException", f"Invalid Context object provided: Field '{name}' must be {_KIND_NAMES[kind]}"
            )
