"""Calls Step Functions to describe, redrive and stop executions; its errors as sentences.

::

    OperationRefused
    ├── ExecutionGone               deleted with its state machine, or closed 90 days ago
    └── OperationFailed
        └── StepFunctionsUnavailable    not reached, or no right to ask: the next call would not be either
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
AT_ONCE = Event()  # set: a page or a schedule does not wait out a throttling
AT_ONCE.set()
_PAGE_EVENTS = 1000
_CLOCKS_DIFFER = timedelta(seconds=5)
_NO_RIGHTS = frozenset(
    {"AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException"}
)


class ExecutionGone(OperationRefused):
    """Step Functions does not know the execution."""


class StepFunctionsNotReached(OperationFailed):
    """Step Functions was not reached, or lets us ask nothing."""


@dataclass(frozen=True)
class Description:
    """An execution as DescribeExecution has it; "" and None for what it does not say."""

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
        """The number of the state machine's version by which it runs, "" if it was started on none."""
        return self.version_arn.rpartition(":")[2] if self.version_arn else ""


def describe(arn: str, stop: Event | None = None) -> Description:
    """Return how an execution stands. Raises ExecutionGone, StepFunctionsUnavailable, OperationFailed."""
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
    """Return the definition by which an execution runs, whatever its state machine's is today.

    Raises as ``describe`` does.
    """
    shown = ask(arn, lambda client: client.describe_state_machine_for_execution(executionArn=arn), stop)
    definition: Mapping[str, Any] = json.loads(shown["definition"])
    return definition


def history_of(arn: str, stop: Event | None = None) -> History:
    """Return what an execution has done. Raises as ``describe`` does."""
    return read_history(event for page in event_pages(arn, stop) for event in page)


def event_pages(
    arn: str,
    stop: Event | None = None,
    *,
    newest_first: bool = False,
    before_each: Callable[[], object] = lambda: None,
) -> Iterator[list[dict[str, Any]]]:
    """Yield the events of an execution as GetExecutionHistory shows them, each page by one call.

    ``before_each`` is called before each of the calls, and may raise. Raises as ``describe`` does.
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
    """Let a closed execution go on where it failed; return when. Safe to repeat with the same token.

    Raises OperationRefused with AWS's reason for one that cannot be redriven.
    """
    answer = ask(arn, lambda client: client.redrive_execution(executionArn=arn, clientToken=token), stop)
    redriven_at: datetime = answer["redriveDate"].astimezone(UTC)
    return redriven_at


def stop_execution(arn: str, cause: str, stop: Event | None = None) -> datetime:
    """End a running execution as ABORTED; return when. Safe to repeat: a closed one stays as it ended."""
    answer = ask(
        arn,
        lambda client: client.stop_execution(executionArn=arn, error=STOPPED_ERROR, cause=cause[:MAX_CAUSE_LENGTH]),
        stop,
    )
    stopped_at: datetime = answer["stopDate"].astimezone(UTC)
    return stopped_at


def action_time(done: str, before: str, at: datetime, asked_at: datetime) -> str:
    """Return what was ``done`` and when by AWS's answer; with the words of ``before`` where that is of earlier."""
    return f"{before if at < asked_at - _CLOCKS_DIFFER else done} at {at:%Y-%m-%d %H:%M:%S %Z}"


def ask(arn: str, call: "Callable[[SFNClient], Any]", stop: Event | None) -> dict[str, Any]:
    """Return what a call answers about something with an ARN. Raises as ``describe`` does."""
    try:
        answer: dict[str, Any] = wait_out_throttling(lambda: call(aws.step_functions()), stop)
    except BotoCoreError as error:
        raise StepFunctionsNotReached(
            "Step Functions", f"was not reached ({error}).", "See to the network, the Region and the credentials."
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
            f"Step Functions has no such execution: it closed over {HISTORY_KEPT_DAYS} days ago, or its state machine "
            "was deleted.",
            "Restart the task.",
        )
    if code == "ExecutionNotRedrivable":
        return OperationRefused(arn, f"AWS does not redrive it: {said}.", "Restart it instead.")
    if code in _NO_RIGHTS:
        return StepFunctionsNotReached(
            "Step Functions",
            f"{code}: {said}.",
            "Use credentials that have the policy of the output OperatorPolicyArn.",
        )
    return OperationFailed(arn, f"{code}: {said}.", "Try again; nothing is known to have changed.")
