"""What Step Functions says of an execution: its status, the errors of failed attempts, how often it was redriven."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workflows.contracts.daily_report_digest import SentDigests

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_FAILURES = ("TaskFailed", "LambdaFunctionFailed", "TaskTimedOut", "LambdaFunctionTimedOut")


@dataclass(frozen=True)
class ExecutionEnd:
    """One execution; ``failed_tries`` are the errors of its failed attempts, the oldest first."""

    arn: str
    status: str
    input: str
    output: str
    seconds: float
    failed_tries: list[str]
    redrives: int = 0


def read_execution(step_functions: "SFNClient", arn: str) -> ExecutionEnd:
    """Return an execution with what its history has. ``seconds`` is 0 until it has ended."""
    described = step_functions.describe_execution(executionArn=arn)
    pages = step_functions.get_paginator("get_execution_history").paginate(executionArn=arn)
    failures = [event for page in pages for event in page["events"] if event["type"] in _FAILURES]
    return ExecutionEnd(
        arn=arn,
        status=described["status"],
        input=described.get("input", ""),
        output=described.get("output", ""),
        seconds=(described.get("stopDate", described["startDate"]) - described["startDate"]).total_seconds(),
        failed_tries=[_error(dict(event)) for event in failures],
        redrives=described.get("redriveCount", 0),
    )


def _error(event: dict[str, Any]) -> str:
    details: dict[str, Any] = next((value for name, value in event.items() if name.endswith("Details")), {})
    return str(details.get("error", "States.Timeout"))


def digests_of(execution: ExecutionEnd) -> list[str]:
    """Return the keys of the mails that a daily_report_digest execution has sent; none if it failed."""
    if not execution.output:
        return []
    answer = SentDigests.model_validate_json(execution.output)
    return [f"digest/{one.client_id}/{answer.date}" for one in answer.digests if one.status == "sent"]
