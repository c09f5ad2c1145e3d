"""``states:startExecution``: its request, and its result for the state that waits for it.

https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from asl_engine.adapters.performer import TaskCall, TaskError
from asl_engine.adapters.sdk_names import Refusal, capitalised, exception_name, optimised_fault
from asl_engine.errors import RUNTIME, TASK_FAILED
from asl_engine.jsontext import Json, dumps, loads
from asl_engine.store.records import ExecutionRecord

# Starts the execution of a call, and returns ExecutionArn and StartDate.
type StartExecution = Callable[[TaskCall], Json]


@dataclass(frozen=True, slots=True)
class StartRequest:
    """The execution to start. ``name`` None requests a new one; ``input`` is a JSON text."""

    state_machine_arn: str
    name: str | None
    input: str


def read_start_request(parameters: Json) -> StartRequest:
    """Parse the parameters of a startExecution task. Raises TaskError."""
    if not isinstance(parameters, dict) or not parameters.get("StateMachineArn"):
        raise TaskError(RUNTIME, "The field 'StateMachineArn' is required but was missing", "schedule")
    given = parameters.get("Input")
    text = "{}" if given is None else given if isinstance(given, str) else dumps(given)
    name = parameters.get("Name")
    return StartRequest(str(parameters["StateMachineArn"]), None if name is None else str(name), text)


def start_refused(code: str, message: str, *, submits: bool) -> TaskError:
    """Return the task error for an error of the StartExecution API."""
    refusal = Refusal(code, message, 400, str(uuid4()), shape=exception_name(code))
    return TaskError(*optimised_fault("states", refusal), "submit" if submits else "run")


def nested_result(record: ExecutionRecord, pattern: str) -> Json:
    """Return the result of a .sync or .sync:2 task whose execution succeeded.

    With ``sync:2``, input and output are values, with ``sync`` texts.
    """
    result = described(record)
    if pattern == "sync:2":
        return result | {key: loads(result[key]) for key in ("Input", "Output") if isinstance(result.get(key), str)}
    return result


def nested_failure(record: ExecutionRecord) -> TaskError:
    """Return the error of a .sync or .sync:2 task whose execution did not succeed."""
    return TaskError(TASK_FAILED, dumps(described(record)))


_HIDDEN = frozenset({"stateMachineVersionArn", "stateMachineAliasArn", "mapRunArn", "traceHeader", "redriveDate"})


def described(record: ExecutionRecord) -> dict[str, Json]:
    """Return DescribeExecution's answer in the spelling of integrations, without nulls."""
    redrive_status, reason = record.redrivability()
    known = record.description() | {"redriveStatus": redrive_status, "redriveStatusReason": reason}
    result = {capitalised(key): value for key, value in known.items() if value is not None and key not in _HIDDEN}
    for key in ("Input", "Output"):
        if key in result:
            result[f"{key}Details"] = {"Included": True}
    return dict(sorted(result.items()))
