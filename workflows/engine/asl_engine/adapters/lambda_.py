"""Performs Lambda tasks: a function by its ARN as the Resource, and ``lambda:invoke``.

https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html
"""

import base64

from asl_engine.adapters.lambda_http import Answer, Invocation, LambdaEndpoint
from asl_engine.adapters.performer import TaskCall, TaskError
from asl_engine.adapters.service_errors import Refusal, optimised_fault
from asl_engine.adapters.service_json import sdk_metadata
from asl_engine.definition.resources import ResourceKind, parse_resource
from asl_engine.jsontext import Json, dumps, loads

# Lambda's longest run is 15 minutes. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LONGEST_RUN_SECONDS = 900
GRACE_SECONDS = 10


class LambdaPerformer:
    """Performs both kinds of Lambda task. ``endpoint_url`` None leaves the choice to boto3's settings."""

    def __init__(self, endpoint_url: str | None = None) -> None:
        self._endpoint = LambdaEndpoint(endpoint_url)

    def perform(self, call: TaskCall) -> Json:
        """Invoke the function and return its result; of ``lambda:invoke``, AWS's envelope around it."""
        resource = parse_resource(call.resource)
        by_arn = resource.kind is ResourceKind.FUNCTION
        invocation = _by_arn(call) if by_arn else _by_parameters(call.parameters)
        answer = self._endpoint.send(invocation, _read_seconds(call))
        if not 200 <= answer.status < 300:
            raise _refused(answer, "submit" if resource.submits else "run")
        if answer.header("x-amz-function-error"):
            raise _function_failed(answer)
        return _value_of(answer) if by_arn else _envelope(answer)

    def close(self) -> None:
        """Close connections that are kept open."""
        self._endpoint.close()


def _by_arn(call: TaskCall) -> Invocation:
    return Invocation(call.resource, dumps(call.parameters).encode(), {"X-Amz-Invocation-Type": "RequestResponse"})


def _by_parameters(parameters: Json) -> Invocation:
    headers = {"X-Amz-Invocation-Type": str(parameters.get("InvocationType") or "RequestResponse")}
    context = parameters.get("ClientContext")
    if context is not None:
        text = context if isinstance(context, str) else base64.b64encode(dumps(context).encode()).decode()
        headers["X-Amz-Client-Context"] = text
    qualifier = parameters.get("Qualifier")
    return Invocation(
        str(parameters["FunctionName"]), _payload(parameters.get("Payload")), headers, qualifier and str(qualifier)
    )


def _payload(payload: Json) -> bytes | None:
    """Return a Payload as it is sent: no null, and a text that is JSON already as that JSON."""
    if payload is None:
        return None
    if isinstance(payload, str):
        try:
            loads(payload)
        except ValueError:
            return dumps(payload).encode()
        return payload.encode()
    return dumps(payload).encode()


def _read_seconds(call: TaskCall) -> float:
    return min(call.timeout_seconds or LONGEST_RUN_SECONDS, LONGEST_RUN_SECONDS) + GRACE_SECONDS


def _refused(answer: Answer, phase: str) -> TaskError:
    try:
        body = loads(answer.body)
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    code = (answer.header("x-amzn-errortype") or str(body.get("__type") or body.get("Code") or "")).split(":")[0]
    code = code.split("#")[-1] or "Unknown"
    message = str(body.get("Message") or body.get("message") or "null")
    # Of Lambda's errors, those that its model does not name have no …Exception of their own.
    shape = code if code.endswith("Exception") else None
    error, cause = optimised_fault("lambda", Refusal(code, message, answer.status, answer.request_id, shape=shape))
    return TaskError(error, cause, phase)


def _function_failed(answer: Answer) -> TaskError:
    """Return a function's own failure: its error type, and all that it said as the cause."""
    text = answer.body.decode(errors="replace")
    try:
        error = loads(answer.body).get("errorType")
    except (ValueError, AttributeError):
        error = None
    if error:
        return TaskError(str(error), text)
    return TaskError(
        "Lambda.Unknown",
        f"The cause could not be determined because Lambda did not return an error type. Returned payload: {text}",
    )


def _value_of(answer: Answer) -> Json:
    """Return a function's answer: its JSON, or what is no JSON as a text."""
    try:
        return loads(answer.body)
    except ValueError:
        return answer.body.decode(errors="replace")


def _envelope(answer: Answer) -> Json:
    result: dict[str, Json] = {}
    version = answer.header("x-amz-executed-version")
    if version:
        result["ExecutedVersion"] = version
    result["Payload"] = _value_of(answer)
    return result | sdk_metadata(answer.headers, answer.status, answer.request_id) | {"StatusCode": answer.status}
