"""Performer of tasks by functions of this process, for tests and without AWS."""

import traceback
from collections.abc import Callable, Mapping
from uuid import uuid4

from asl_engine.adapters.performer import Ended, TaskCall, TaskError
from asl_engine.adapters.service_json import sdk_metadata
from asl_engine.definition.resources import ResourceKind, parse_resource
from asl_engine.errors import RUNTIME
from asl_engine.jsontext import Json, dumps, loads

type Function = Callable[[Json], Json]


class FunctionPerformer:
    """Functions by their ARN, a Lambda function's name, or the text of any Resource.

    A function gets a copy of the payload and returns the result. An exception fails the task as on Lambda, with
    its class name and a JSON cause; a TaskError fails it unchanged. Ended ends a .waitForTaskToken task.
    """

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self._functions = functions

    def finds(self, call: TaskCall) -> bool:
        """Return whether one of the functions performs this task."""
        return self._find(call) is not None

    def perform(self, call: TaskCall) -> Json:
        """Call the function and return its result, for ``lambda:invoke`` in AWS's envelope."""
        function = self._find(call)
        if function is None:
            raise TaskError(RUNTIME, f"There is no function for the resource '{call.resource}'.", "schedule")
        invokes = _is_invoke(call)
        result = _call(function, call.parameters.get("Payload", {}) if invokes else call.parameters)
        if not invokes or isinstance(result, Ended):
            return result
        return {
            "ExecutedVersion": "$LATEST",
            "Payload": result,
            **sdk_metadata([], 200, str(uuid4())),
            "StatusCode": 200,
        }

    def _find(self, call: TaskCall) -> Function | None:
        names = [call.resource]
        target = str(call.parameters.get("FunctionName", "")) if _is_invoke(call) else call.resource
        resource = parse_resource(target)
        if resource.kind is ResourceKind.FUNCTION:
            names += [target, target.removesuffix(":" + resource.name.partition(":")[2])]
            names += [resource.name, resource.name.split(":")[0]]
        elif _is_invoke(call):
            names += [target, target.split(":")[0]]
        return next((self._functions[name] for name in names if name in self._functions), None)


def _is_invoke(call: TaskCall) -> bool:
    resource = parse_resource(call.resource)
    is_invoke = (resource.kind, resource.service, resource.action) == (ResourceKind.SERVICE, "lambda", "invoke")
    return is_invoke and isinstance(call.parameters, dict)


def _call(function: Function, payload: Json) -> Json:
    """Call a function; both sides get their own copies of values."""
    try:
        result = function(loads(dumps(payload)))
    except TaskError:
        raise
    except Exception as error:
        frames = traceback.format_list(traceback.extract_tb(error.__traceback__)[1:])  # without this one
        raise _failed(type(error).__name__, str(error), frames) from error
    try:
        return Ended(loads(dumps(result.output))) if isinstance(result, Ended) else loads(dumps(result))
    except (TypeError, ValueError) as error:
        raise _failed("Runtime.MarshalError", f"Unable to marshal response: {error}", []) from error


def _failed(error: str, message: str, frames: list[str]) -> TaskError:
    cause = {"errorMessage": message, "errorType": error, "requestId": str(uuid4()), "stackTrace": frames}
    return TaskError(error, dumps(cause))
