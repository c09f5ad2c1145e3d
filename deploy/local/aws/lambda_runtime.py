"""A Python runtime for functions on one machine: a client of the Lambda Runtime API.

A function's ``bootstrap`` runs it with the standard library alone (``python -I -S``), so that the function finds its
own zip, the packages of Lambda's runtime (boto3), and nothing else of this machine. As on AWS, the caller gets an
error's class name, and an error does not end the process.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import http.client
import importlib
import io
import json
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable
from typing import IO, Any

_API = "/2018-06-01/runtime"
# The log file of all functions, and the folder with the packages of Lambda's runtime.
LOG_FILE_VARIABLE = "QU_FUNCTIONS_LOG"
RUNTIME_PACKAGES_VARIABLE = "QU_RUNTIME_PACKAGES"
# An event that starts an environment without calling its handler.
WARM_UP = {"local_runtime": "warm up"}


class LambdaContext:
    """The context object of a Python handler."""

    identity = None
    client_context = None

    def __init__(self, headers: Any) -> None:
        self.aws_request_id: str = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn: str = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self._deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = f"/aws/lambda/{self.function_name}"
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the invocation."""
        return max(0, self._deadline_ms - time.time_ns() // 1_000_000)


class Lines(io.TextIOBase):
    """A stream that also logs each line, after the function's name."""

    def __init__(self, through: IO[str], log_file: int, name: str) -> None:
        self._through, self._log_file, self._name, self._rest = through, log_file, name, ""

    def write(self, text: str) -> int:
        """Write through, and log every complete line."""
        self._through.write(text)
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            # One write per line in append mode: lines of other processes do not mix.
            os.write(self._log_file, f"{self._name} {line}\n".encode(errors="replace"))
        return len(text)

    def flush(self) -> None:
        """Flush the stream written through."""
        self._through.flush()

    def fileno(self) -> int:
        """Return the descriptor written through."""
        return self._through.fileno()


def main() -> None:
    """Load the handler, then handle invocations until the service ends."""
    _keep_output()
    sys.path[:0] = [os.environ["QU_OVERLAY"], os.environ["LAMBDA_TASK_ROOT"]]
    sys.path.append(os.environ[RUNTIME_PACKAGES_VARIABLE])
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        handler = _handler(os.environ["_HANDLER"])
    except BaseException as error:
        _post(connection, f"{_API}/init/error", _as_error(error))
        raise
    while True:
        connection.request("GET", f"{_API}/invocation/next")
        _acknowledge_at_once(connection)
        response = connection.getresponse()
        body = response.read()
        if response.status != http.client.OK:
            return  # the service is ending this environment
        context = LambdaContext(response.headers)
        event = json.loads(body)
        outcome, answer = ("response", b"null") if event == WARM_UP else _invoke(handler, event, context)
        _post(connection, f"{_API}/invocation/{context.aws_request_id}/{outcome}", answer)


def _acknowledge_at_once(connection: http.client.HTTPConnection) -> None:
    """Send TCP acknowledgements immediately: a delayed one costs 40 ms between head and body."""
    quick_ack = getattr(socket, "TCP_QUICKACK", None)  # on Linux alone, and not permanent
    if quick_ack is not None and connection.sock is not None:
        connection.sock.setsockopt(socket.IPPROTO_TCP, quick_ack, 1)


def _keep_output() -> None:
    log_file = os.environ.get(LOG_FILE_VARIABLE)
    if log_file:
        descriptor = os.open(log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        sys.stdout = Lines(sys.stdout, descriptor, name)
        sys.stderr = Lines(sys.stderr, descriptor, name)


def _handler(path: str) -> Callable[[Any, LambdaContext], Any]:
    module, _, name = path.rpartition(".")
    handler: Callable[[Any, LambdaContext], Any] = getattr(importlib.import_module(module), name)
    return handler


def _invoke(
    handler: Callable[[Any, LambdaContext], Any], event: Any, context: LambdaContext
) -> tuple[str, dict[str, Any] | bytes]:
    try:
        return "response", json.dumps(handler(event, context), ensure_ascii=False).encode()
    except Exception as error:  # noqa: BLE001  every error is an answer
        failure = _as_error(error)
        print(
            json.dumps({"level": "ERROR", "requestId": context.aws_request_id, **failure}), file=sys.stderr, flush=True
        )
        return "error", failure


def _as_error(error: BaseException) -> dict[str, Any]:
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "stackTrace": traceback.format_tb(error.__traceback__)[1:],  # without this module's own frame
    }


def _post(connection: http.client.HTTPConnection, path: str, answer: dict[str, Any] | bytes) -> None:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    connection.getresponse().read()


if __name__ == "__main__":
    try:
        main()
    except (ConnectionError, http.client.HTTPException):
        sys.exit(0)  # the service has ended
