"""Calls Step Functions to describe, redrive and stop executions; errors become sentences.

::

    OperationRefused
    ├── ExecutionGone               deleted with its state machine, or closed 90 days ago
    └── OperationFailed
        └── StepFunctionsNotReached    unreachable or denied: further calls would fail, too
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from qu_workflows.aws import clients as aws
from qu_workflows.aws.pacing import wait_out_throttling
from qu_workflows.executions.histories import History, read_history
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

HISTORY_KEPT_DAYS = 90
MAX_CAUSE_LENGTH = 32_768
STOPPED_ERROR = "StoppedByOperator"
AT_ONCE = Event()  # set, so that pages and schedules do not wait when throttled
AT_ONCE.set()
_PAGE_EVENTS = 1000
_CLOCKS_DIFFER = timedelta(seconds=5)
_NO_RIGHTS = frozenset(
    {"AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException"}
)


class ExecutionGone(OperationRefused):
    """Step Functions does not have the execution."""


class StepFunctionsNotReached(OperationFailed):
    """Step Functions is unreachable, or denies all calls."""


@dataclass(frozen=True)
class Description:
    """The answer of DescribeExecution; missing fields are "" or None."""

    arn: str
    status: str
    started_at: datetime
    stopped_at: datetime | None
    redrive_count: int
    redriven_at: datetime | None
    redrive_status: str
    redrive_status_reason: str
    version_arn: str
    error: str
    cause: str
    trace_header: str = ""
    map_run_arn: str = ""

    @property
    def version(self) -> str:
        """The number of its state machine version, "" if it was started without one."""
        return self.version_arn.rpartition(":")[2] if self.version_arn else ""


def describe(arn: str, stop: Event | None = None) -> Description:
    """Describe an execution. Raises ExecutionGone, StepFunctionsNotReached, OperationFailed."""
    shown = ask(arn, lambda client: client.describe_execution(executionArn=arn, includedData="METADATA_ONLY"), stop)
    return Description(
        arn=arn,
        status=shown["status"],
        started_at=shown["startDate"],
        stopped_at=shown.get("stopDate"),
        redrive_count=shown.get("redriveCount", 0),
        redriven_at=shown.get("redriveDate"),
        redrive_status=shown.get("redriveStatus", ""),
        redrive_status_reason=shown.get("redriveStatusReason", ""),
        version_arn=shown.get("stateMachineVersionArn", ""),
        error=shown.get("error", ""),
        cause=shown.get("cause", ""),
        trace_header=shown.get("traceHeader", ""),
        map_run_arn=shown.get("mapRunArn", ""),
    )


def definition_of_execution(arn: str, stop: Event | None = None) -> Mapping[str, Any]:
    """Return the definition by which an execution runs. Raises as ``describe`` does."""
    shown = ask(arn, lambda client: client.describe_state_machine_for_execution(executionArn=arn), stop)
    definition: Mapping[str, Any] = json.loads(shown["definition"])
    return definition


def history_of(arn: str, stop: Event | None = None) -> History:
    """Return an execution's history. Raises as ``describe`` does."""
    return read_history(event for page in event_pages(arn, stop) for event in page)


def event_pages(
    arn: str,
    stop: Event | None = None,
    *,
    newest_first: bool = False,
    before_each: Callable[[], object] = lambda: None,
) -> Iterator[list[dict[str, Any]]]:
    """Yield pages of GetExecutionHistory, one call each, after calling ``before_each``.

    Raises as ``describe`` does.
    """
    token: dict[str, Any] = {}
    while True:
        before_each()
        page = ask(
            arn,
            lambda client, token=token: client.get_execution_history(  # type: ignore[misc]
                executionArn=arn, maxResults=_PAGE_EVENTS, reverseOrder=newest_first, **token
            ),
            stop,
        )
        yield page["events"]
        if not page.get("nextToken"):
            return
        token = {"nextToken": page["nextToken"]}


def redrive_execution(arn: str, token: str, stop: Event | None = None) -> datetime:
    """Redrive an execution; return the time. Safe to repeat with the same token.

    Raises OperationRefused with AWS's reason if it cannot be redriven.
    """
    answer = ask(arn, lambda client: client.redrive_execution(executionArn=arn, clientToken=token), stop)
    redriven_at: datetime = answer["redriveDate"].astimezone(UTC)
    return redriven_at


def stop_execution(arn: str, cause: str, stop: Event | None = None) -> datetime:
    """Stop an execution; return the time. Safe to repeat: an ended one does not change."""
    answer = ask(
        arn,
        lambda client: client.stop_execution(executionArn=arn, error=STOPPED_ERROR, cause=cause[:MAX_CAUSE_LENGTH]),
        stop,
    )
    stopped_at: datetime = answer["stopDate"].astimezone(UTC)
    return stopped_at


def action_time(done: str, before: str, at: datetime, asked_at: datetime) -> str:
    """Return what was ``done`` and when; the text ``before`` if AWS's time is earlier."""
    return f"{before if at < asked_at - _CLOCKS_DIFFER else done} at {at:%Y-%m-%d %H:%M:%S %Z}"


def ask(arn: str, call: "Callable[[SFNClient], Any]", stop: Event | None) -> dict[str, Any]:
    """Return the answer to a call about an ARN. Raises as ``describe`` does."""
    try:
        answer: dict[str, Any] = wait_out_throttling(lambda: call(aws.step_functions()), stop)
    except BotoCoreError as error:
        raise StepFunctionsNotReached(
            "Step Functions", f"was not reached ({error}).", "Check the network, the Region and the credentials."
        ) from error
    except ClientError as error:
        raise _refusal(arn, error) from error
    return answer


def _refusal(arn: str, error: ClientError) -> OperationRefused:
    code, said = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    said = said.rstrip(".")
    if code == "ExecutionDoesNotExist":
        return ExecutionGone(
            arn,
            f"Step Functions has no such execution: it ended over {HISTORY_KEPT_DAYS} days ago, or its state machine "
            "was deleted.",
            "Restart the task.",
        )
    if code == "ExecutionNotRedrivable":
        return OperationRefused(arn, f"AWS does not redrive it: {said}.", "Restart it instead.")
    if code in _NO_RIGHTS:
        return StepFunctionsNotReached(
            "Step Functions",
            f"{code}: {said}.",
            "Use credentials with the policy in the stack's output OperatorPolicyArn.",
        )
    return OperationFailed(arn, f"{code}: {said}.", "Try again: no change is known.")
