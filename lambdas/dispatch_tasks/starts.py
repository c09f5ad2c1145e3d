"""Starts an execution, and retries until the time runs out.

::

    StartFailed             the message stays in the queue
    ├── NoTimeLeft          Step Functions throttled or was not reached until the time ran out
    └── StartRefused        Step Functions would refuse a retry too
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import botocore.session  # noqa: F401  imported during initialization, when Lambda provides a full CPU
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004  botocore's own name

from lambdas.shared.runtime.aws import THROTTLED, aws_client, code_of, status_of
from qu_workflows.protocol.errors import ExplainedError
from qu_workflows.protocol.message import ExecutionStart

STARTS_AT_A_TIME = 10  # the batch size, so that a batch takes about as long as one start
CONNECT_TIMEOUT_SECONDS = 1
READ_TIMEOUT_SECONDS = 4
# Maximum duration of a call: with less time left, none is made.
RESERVE_SECONDS = CONNECT_TIMEOUT_SECONDS + READ_TIMEOUT_SECONDS
FIRST_DELAY_SECONDS = 0.2
MAX_DELAY_SECONDS = 5.0

ALREADY_EXISTS = "ExecutionAlreadyExists"
# Also any code with Throttl in it, and HTTP status 429 and 5xx.
# https://docs.aws.amazon.com/step-functions/latest/apireference/CommonErrors.html
_RETRIED = frozenset({"ExecutionLimitExceeded", "ServiceUnavailable", "InternalFailure"})


class StartFailed(ExplainedError):
    """An execution was not started."""


class NoTimeLeft(StartFailed):
    """Every attempt was throttled or did not reach Step Functions."""


class StartRefused(StartFailed):
    """Step Functions would refuse a retry too."""


def step_functions() -> Any:
    """Return the client, without retries: ExecutionStarter retries."""
    return aws_client(
        "stepfunctions",
        attempts=1,
        connect_seconds=CONNECT_TIMEOUT_SECONDS,
        read_seconds=READ_TIMEOUT_SECONDS,
        connections=STARTS_AT_A_TIME,
    )


@dataclass(frozen=True)
class ExecutionStarter:
    """Starts executions until ``deadline``, in seconds of ``now``.

    Thread-safe. Safe to repeat: the execution's name is the task id.
    """

    client: Any
    arns: Mapping[str, str]
    deadline: float
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[float], float] = lambda delay: random.uniform(0, delay)  # noqa: S311  not for security

    def start(self, execution: ExecutionStart, trace_header: str | None = None) -> bool:
        """Start the execution; return False if it exists. Raises NoTimeLeft or StartRefused."""
        request = {
            "stateMachineArn": self.arns[execution.workflow],
            "name": execution.name,
            "input": execution.input_json,
        }
        if trace_header:
            request["traceHeader"] = trace_header
        delay = FIRST_DELAY_SECONDS
        while True:
            try:
                self.client.start_execution(**request)
            except (ClientError, HTTPClientError, ConnectionError) as error:
                if code_of(error) == ALREADY_EXISTS:
                    return False
                if not _is_transient(error):
                    raise StartRefused(
                        execution.workflow,
                        f"{execution.name} was refused: {error}.",
                        "Check the ARN in STATE_MACHINE_ARNS and the function's right to states:StartExecution.",
                    ) from error
                self._wait(self.jitter(delay), execution, error)
                delay = min(delay * 2, MAX_DELAY_SECONDS)
            else:
                return True

    def _wait(self, delay: float, execution: ExecutionStart, error: Exception) -> None:
        if self.now() + delay + RESERVE_SECONDS > self.deadline:
            raise NoTimeLeft(
                execution.workflow,
                f"the last attempt to start {execution.name} failed: {error}.",
                "The message is received again after the visibility timeout. If this continues, lower "
                "MaximumConcurrency, or at 2 the mapping's BatchSize, in deploy/template.yaml.",
            ) from error
        self.sleep(delay)


def _is_transient(error: Exception) -> bool:
    if not isinstance(error, ClientError):
        return True  # no answer; a retry with the same name is safe
    code, status = code_of(error), status_of(error)
    return code in THROTTLED or code in _RETRIED or "Throttl" in code or status == 429 or status >= 500
