"""Performer of Lambda tasks: a function by its ARN as the Resource, and ``lambda:invoke``.

botocore signs the requests, ``http.client`` sends them over connections that stay open: less than half of the
processor time of boto3's ``invoke``.
https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html
https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

import base64
import http.client
import select
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit
from uuid import uuid4

from asl_engine.adapters.performer import TaskCall, TaskError
from asl_engine.adapters.sdk_names import Refusal, optimised_fault, unreachable_fault
from asl_engine.adapters.service_json import sdk_metadata
from asl_engine.adapters.services import ServiceClients
from asl_engine.definition.resources import ResourceKind, parse_resource
from asl_engine.jsontext import Json, dumps, loads

# Lambda's longest run is 15 minutes. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LONGEST_RUN_SECONDS = 900
GRACE_SECONDS = 10


class LambdaPerformer:
    """Performs both kinds of Lambda task."""

    def __init__(self, clients: ServiceClients) -> None:
        self._endpoint = _Endpoint(clients)

    def perform(self, call: TaskCall) -> Json:
        """Invoke the function and return its result, for ``lambda:invoke`` in AWS's envelope."""
        resource = parse_resource(call.resource)
        by_arn = resource.kind is ResourceKind.FUNCTION
        invocation = _by_arn(call) if by_arn else _by_parameters(call.parameters)
        read_seconds = min(call.timeout_seconds or LONGEST_RUN_SECONDS, LONGEST_RUN_SECONDS) + GRACE_SECONDS
        answer = self._endpoint.send(invocation, read_seconds)
        if not 200 <= answer.status < 300:
            raise _refused(answer, "submit" if resource.submits else "run")
        if answer.header("x-amz-function-error"):
            raise _function_failed(answer)
        return _value_of(answer) if by_arn else _envelope(answer)

    def close(self) -> None:
        """Close the open connections."""
        self._endpoint.close()


class Invocation(NamedTuple):
    """One request to Lambda. ``body`` None sends no payload."""

    path: str
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Answer:
    """Lambda's answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return a header by its name in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def request_id(self) -> str:
        """Lambda's id of the request, or a new one without it."""
        return self.header("x-amzn-requestid") or str(uuid4())


class _Endpoint:
    """Lambda's endpoint and the idle connections to it."""

    def __init__(self, clients: ServiceClients) -> None:
        self._clients = clients
        self._idle: deque[http.client.HTTPConnection] = deque()

    def send(self, invocation: Invocation, read_seconds: float) -> Answer:
        """Send one request, never twice. Raises TaskError Lambda.SdkClientException without an answer."""
        connection = self._idle_connection() or self._new_connection(read_seconds)
        try:
            answer = self._exchange(connection, invocation, read_seconds)
        except BaseException as error:
            connection.close()
            if isinstance(error, TimeoutError):
                raise TaskError(*unreachable_fault("Lambda", "Read timed out")) from None
            if isinstance(error, OSError | http.client.HTTPException):
                reason = f"Connect to {self._url} failed: {error}"
                raise TaskError(*unreachable_fault("Lambda", reason)) from error
            raise
        self._idle.append(connection)
        return answer

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _idle_connection(self) -> http.client.HTTPConnection | None:
        """Return the idle connection that was used last and is still open."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            # An idle connection is readable only after the other side has closed it.
            if connection.sock is not None and not select.select([connection.sock], [], [], 0)[0]:
                return connection
            connection.close()

    def _new_connection(self, read_seconds: float) -> http.client.HTTPConnection:
        parts = urlsplit(self._url)
        host = parts.hostname or "127.0.0.1"
        if parts.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, parts.port, timeout=read_seconds, context=context)
        return http.client.HTTPConnection(host, parts.port, timeout=read_seconds)

    def _exchange(self, connection: http.client.HTTPConnection, invocation: Invocation, read_seconds: float) -> Answer:
        connection.timeout = read_seconds
        if connection.sock is not None:
            connection.sock.settimeout(read_seconds)
        path = urlsplit(self._url).path.rstrip("/") + invocation.path
        connection.request("POST", path, invocation.body or b"", self._signed_headers(invocation))
        response = connection.getresponse()
        return Answer(response.status, response.getheaders(), response.read())

    def _signed_headers(self, invocation: Invocation) -> dict[str, str]:
        headers = {"Content-Type": "application/json", **invocation.headers}
        if self._credentials is None:
            return headers
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        url = self._url.rstrip("/") + invocation.path
        request = AWSRequest("POST", url, headers=headers, data=invocation.body or b"")
        SigV4Auth(self._credentials.get_frozen_credentials(), "lambda", self._region).add_auth(request)
        return dict(request.headers.items())

    @cached_property
    def _credentials(self) -> Any:
        return self._clients.credentials()

    @cached_property
    def _url(self) -> str:
        return str(self._clients.client("lambda").meta.endpoint_url)

    @cached_property
    def _region(self) -> str:
        return str(self._clients.client("lambda").meta.region_name)


def _path_of(function: str) -> str:
    return f"/2015-03-31/functions/{quote(function, safe='')}/invocations"


def _by_arn(call: TaskCall) -> Invocation:
    headers = {"X-Amz-Invocation-Type": "RequestResponse"}
    return Invocation(_path_of(call.resource), headers, dumps(call.parameters).encode())


def _by_parameters(parameters: Json) -> Invocation:
    headers = {"X-Amz-Invocation-Type": str(parameters.get("InvocationType") or "RequestResponse")}
    if parameters.get("LogType"):
        headers["X-Amz-Log-Type"] = str(parameters["LogType"])
    context = parameters.get("ClientContext")
    if context is not None:
        text = context if isinstance(context, str) else base64.b64encode(dumps(context).encode()).decode()
        headers["X-Amz-Client-Context"] = text
    path, qualifier = _path_of(str(parameters["FunctionName"])), parameters.get("Qualifier")
    if qualifier:
        path += f"?{urlencode({'Qualifier': str(qualifier)})}"
    return Invocation(path, headers, _payload(parameters.get("Payload")))


def _payload(payload: Json) -> bytes | None:
    """Return the bytes of a Payload: nothing for null, a JSON text as it is."""
    if payload is None:
        return None
    if isinstance(payload, str):
        try:
            loads(payload)
        except ValueError:
            return dumps(payload).encode()
        return payload.encode()
    return dumps(payload).encode()


def _refused(answer: Answer, phase: str) -> TaskError:
    try:
        body = loads(answer.body)
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    code = (answer.header("x-amzn-errortype") or str(body.get("__type") or body.get("Code") or "")).split(":")[0]
    code = code.split("#")[-1] or "Unknown"
    message = str(body.get("Message") or body.get("message") or "null")
    # Errors that Lambda's model does not name do not end in Exception.
    shape = code if code.endswith("Exception") else None
    error, cause = optimised_fault("lambda", Refusal(code, message, answer.status, answer.request_id, shape=shape))
    return TaskError(error, cause, phase)


def _function_failed(answer: Answer) -> TaskError:
    """Return a function's failure: its error type, and its answer as the cause."""
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
    """Return a function's answer as JSON, or else as a text."""
    try:
        return loads(answer.body)
    except ValueError:
        return answer.body.decode(errors="replace")


def _envelope(answer: Answer) -> Json:
    result: dict[str, Json] = {}
    version = answer.header("x-amz-executed-version")
    if version:
        result["ExecutedVersion"] = version
    log = answer.header("x-amz-log-result")
    if log:
        result["LogResult"] = log
    result["Payload"] = _value_of(answer)
    return result | sdk_metadata(answer.headers, answer.status, answer.request_id) | {"StatusCode": answer.status}
