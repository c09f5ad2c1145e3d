"""``states:startExecution``: what it asks for, and what its end is to the state that waits for it.

https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import uuid4

from asl_engine.adapters.performer import TaskCall, TaskError
from asl_engine.adapters.sdk_names import exception_name
from asl_engine.adapters.service_errors import Refusal, optimised_fault
from asl_engine.errors import RUNTIME, TASK_FAILED
from asl_engine.jsontext import Json, dumps, loads

# Starts the execution that a call asks for, and returns ExecutionArn and StartDate.
type StartExecution = Callable[[TaskCall], Json]


@dataclass(frozen=True, slots=True)
class StartRequest:
    """The execution to start. ``name`` None leaves it to Step Functions; ``input`` is JSON text."""

    state_machine_arn: str
    name: str | None
    input: str


def read_start_request(parameters: Json) -> StartRequest:
    """Return what the parameters of a startExecution task ask for. Raises TaskError."""
    if not isinstance(parameters, dict) or not parameters.get("StateMachineArn"):
        raise TaskError(RUNTIME, "The field 'StateMachineArn' is required but was missing", "schedule")
    given = parameters.get("Input")
    text = "{}" if given is None else given if isinstance(given, str) else dumps(given)
    name = parameters.get("Name")
    return StartRequest(str(parameters["StateMachineArn"]), None if name is None else str(name), text)


def start_refused(code: str, message: str, *, submits: bool) -> TaskError:
    """Return the error of a StartExecution that the API refuses with ``code``."""
    refusal = Refusal(code, message, 400, str(uuid4()), shape=exception_name(code))
    return TaskError(*optimised_fault("states", refusal), "submit" if submits else "run")


def nested_result(description: Mapping[str, Json], pattern: str) -> Json:
    """Return the result of a .sync or .sync:2 task whose execution succeeded.

    ``description`` is DescribeExecution's answer, moments as milliseconds. ``sync:2`` gives input and
    output as values, ``sync`` as texts.
    """
    result = described(description)
    if pattern == "sync:2":
        return result | {key: loads(result[key]) for key in ("Input", "Output") if isinstance(result.get(key), str)}
    return result


def nested_failure(description: Mapping[str, Json]) -> TaskError:
    """Return the error of a .sync or .sync:2 task whose execution did not succeed."""
    return TaskError(TASK_FAILED, dumps(described(description)))


_TOLD = (
    "cause",
    "error",
    "executionArn",
    "input",
    "inputDetails",
    "name",
    "output",
    "outputDetails",
    "redriveCount",
    "redriveStatus",
    "redriveStatusReason",
    "startDate",
    "stateMachineArn",
    "status",
    "stopDate",
)


def described(description: Mapping[str, Json]) -> dict[str, Json]:
    """Return DescribeExecution's answer as a state machine sees it: capitalised, without what is null."""
    result = {key[:1].upper() + key[1:]: description[key] for key in _TOLD if description.get(key) is not None}
    for key in ("Input", "Output"):
        if key in result:
            result[f"{key}Details"] = {"Included": True}
    return dict(sorted(result.items()))
