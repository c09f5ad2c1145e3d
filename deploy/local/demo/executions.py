"""What Step Functions tells of executions: status, seconds in each state, failed tries, mails sent."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from workflows.contracts.daily_report_digest import SentDigests

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_FAILURES = ("TaskFailed", "LambdaFunctionFailed", "TaskTimedOut", "LambdaFunctionTimedOut")


@dataclass(frozen=True)
class Execution:
    """One execution as its history tells it. ``seconds`` by the name of the state, in the order of the workflow."""

    arn: str
    status: str
    input: str
    output: str
    seconds: dict[str, float]
    failed_tries: list[str]
    redrives: int = 0


def read_execution(step_functions: "SFNClient", arn: str) -> Execution:
    """Return an execution, with the errors of its failed tries in the order in which they happened."""
    described = step_functions.describe_execution(executionArn=arn)
    events = list(_events(step_functions, arn))
    return Execution(
        arn=arn,
        status=described["status"],
        input=described.get("input", ""),
        output=described.get("output", ""),
        seconds=_seconds(events),
        failed_tries=[_error(event) for event in events if event["type"] in _FAILURES],
        redrives=described.get("redriveCount", 0),
    )


def digests_of(execution: Execution) -> list[str]:
    """Return the keys by which the mails of a daily_report_digest execution go out once, of those that were sent."""
    if not execution.output:  # it has failed
        return []
    told = SentDigests.model_validate_json(execution.output)
    return [f"digest/{one.client_id}/{told.date}" for one in told.digests if one.status == "sent"]


def _events(step_functions: "SFNClient", arn: str) -> Iterator[dict[str, Any]]:
    token: dict[str, Any] = {}
    while True:
        page: dict[str, Any] = dict(step_functions.get_execution_history(executionArn=arn, maxResults=1000, **token))
        yield from page["events"]
        if not page.get("nextToken"):
            return
        token = {"nextToken": page["nextToken"]}


def _seconds(events: list[dict[str, Any]]) -> dict[str, float]:
    entered: dict[str, datetime] = {}
    seconds: dict[str, float] = {}
    for event in events:
        if "stateEnteredEventDetails" in event:
            entered[event["stateEnteredEventDetails"]["name"]] = event["timestamp"]
        elif "stateExitedEventDetails" in event:
            name = event["stateExitedEventDetails"]["name"]
            if name in entered:
                seconds[name] = (event["timestamp"] - entered[name]).total_seconds()
    return seconds


def _error(event: dict[str, Any]) -> str:
    details: dict[str, Any] = next((value for key, value in event.items() if key.endswith("EventDetails")), {})
    return str(details.get("error", "States.Timeout"))
