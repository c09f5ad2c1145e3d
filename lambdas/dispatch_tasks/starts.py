"""Starts one execution by its task id, again and again for as long as time allows.

::

    StartFailed             the message stays in the queue
    ├── NoTimeLeft          throttled, or Step Functions was not reached, until the time ran out
    └── StartRefused        Step Functions will not start it until something is changed
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import botocore.session  # noqa: F401  the client needs it: imported here, while Lambda gives the start a whole CPU
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004  botocore's own name

from lambdas.shared.runtime.aws import THROTTLED, aws_client, code_of, status_of
from qu_workflows.protocol.errors import ExplainedError
from qu_workflows.protocol.message import ExecutionStart

STARTS_AT_A_TIME = 10  # a batch's size, so that a batch takes about as long as one start
CONNECT_TIMEOUT_SECONDS = 1
READ_TIMEOUT_SECONDS = 4
# What one more call may take at worst: none is begun when less than this is left.
RESERVE_SECONDS = CONNECT_TIMEOUT_SECONDS + READ_TIMEOUT_SECONDS
FIRST_DELAY_SECONDS = 0.2
MAX_DELAY_SECONDS = 5.0

ALREADY_EXISTS = "ExecutionAlreadyExists"
# Besides these, whatever has Throttl in its name and every answer 429 and 5xx.
# https://docs.aws.amazon.com/step-functions/latest/apireference/CommonErrors.html
_TRY_AGAIN = frozenset(
    {
        "ExecutionLimitExceeded",
        "ServiceUnavailable",
        "InternalFailure",
    }
)


class StartFailed(ExplainedError):
    """An execution was not started."""


class NoTimeLeft(StartFailed):
    """Every attempt was throttled or did not reach Step Functions."""


class StartRefused(StartFailed):
    """Another attempt would be refused too."""


class StepFunctions(Protocol):
    """The one call of boto3's Step Functions client that is made here."""

    def start_execution(self, **request: Any) -> Any:
        """Start an execution."""


def step_functions() -> StepFunctions:
    """Return the client: a connection for each start at a time, and no retries but those of ExecutionStarter."""
    client: StepFunctions = aws_client(
        "stepfunctions",
        attempts=1,
        connect_seconds=CONNECT_TIMEOUT_SECONDS,
        read_seconds=READ_TIMEOUT_SECONDS,
        connections=STARTS_AT_A_TIME,
    )
    return client


@dataclass(frozen=True)
class ExecutionStarter:
    """Starts executions until ``deadline``, in seconds of ``now``.

    May be called by several threads at a time. Safe to repeat: the execution's name is the task id.
    """

    client: StepFunctions
    arns: Mapping[str, str]
    deadline: float
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[float], float] = lambda delay: random.uniform(0, delay)  # noqa: S311  spreads retries, hides nothing

    def start(self, execution: ExecutionStart, trace_header: str | None = None) -> bool:
        """Start the execution; return False where its id was started before. Raises NoTimeLeft or StartRefused."""
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
                if not _may_work_later(error):
                    raise _refused(execution, error) from error
                self._wait(self.jitter(delay), execution, error)
                delay = min(delay * 2, MAX_DELAY_SECONDS)
            else:
                return True

    def _wait(self, delay: float, execution: ExecutionStart, error: Exception) -> None:
        if self.now() + delay + RESERVE_SECONDS > self.deadline:
            raise NoTimeLeft(
                execution.workflow,
                f"the last attempt to start {execution.name} met {error}.",
                "The message comes back after the visibility timeout. If this goes on, lower MaximumConcurrency, "
                "or at 2 the mapping's BatchSize in deploy/template.yaml.",
            ) from error
        self.sleep(delay)


def _may_work_later(error: Exception) -> bool:
    if not isinstance(error, ClientError):
        return True  # no answer at all; asked again, the same name starts nothing twice
    code, status = code_of(error), status_of(error)
    return code in THROTTLED or code in _TRY_AGAIN or "Throttl" in code or status == 429 or status >= 500


def _refused(execution: ExecutionStart, error: Exception) -> StartRefused:
    return StartRefused(
        execution.workflow,
        f"{execution.name} was refused: {error}.",
        "Check the state machine's ARN in STATE_MACHINE_ARNS and the function's right to states:StartExecution.",
    )
