"""What a history tells: how long each state took, and which tries failed."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.local.demo.executions import Execution, digests_of, read_execution

START = datetime(2026, 11, 24, 12, tzinfo=UTC)


def event(seconds: float, kind: str, **details: Any) -> dict[str, Any]:
    return {"timestamp": START + timedelta(seconds=seconds), "type": kind, **details}


class StepFunctions:
    """A history in two pages."""

    pages = [
        [
            event(0, "TaskStateEntered", stateEnteredEventDetails={"name": "Load Report"}),
            event(1.5, "TaskStateExited", stateExitedEventDetails={"name": "Load Report"}),
            event(2, "MapStateEntered", stateEnteredEventDetails={"name": "Process Files"}),
            event(3, "TaskFailed", taskFailedEventDetails={"error": "StorageUnavailable"}),
        ],
        [
            event(4, "LambdaFunctionTimedOut", lambdaFunctionTimedOutEventDetails={}),
            event(6.25, "MapStateExited", stateExitedEventDetails={"name": "Process Files"}),
            event(7, "TaskStateEntered", stateEnteredEventDetails={"name": "Record Report"}),
        ],
    ]

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803  boto3's name
        return {"status": "RUNNING", "input": "{}", "executionArn": executionArn}

    def get_execution_history(self, nextToken: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803  boto3's name
        page = int(nextToken or 0)
        more = {"nextToken": str(page + 1)} if page + 1 < len(self.pages) else {}
        return {"events": self.pages[page], **more}


def test_states_have_their_seconds_and_one_that_runs_has_none() -> None:
    execution = read_execution(StepFunctions(), "arn")  # type: ignore[arg-type]  # the two calls that are made

    assert execution.seconds == {"Load Report": 1.5, "Process Files": 4.25}


def test_failed_tries_are_told_by_their_errors_in_order() -> None:
    execution = read_execution(StepFunctions(), "arn")  # type: ignore[arg-type]  # the two calls that are made

    assert execution.failed_tries == ["StorageUnavailable", "States.Timeout"]


def test_the_mails_of_a_digest_are_those_that_were_sent() -> None:
    results = [
        {"client_id": 1, "status": "sent"},
        {"client_id": 2, "status": "already_sent"},
        {"client_id": 3, "status": "not_sent", "error": "EmailRefused"},
    ]
    execution = Execution("arn", "SUCCEEDED", "{}", json.dumps({"date": "2026-11-23", "digests": results}), {}, [])

    assert digests_of(execution) == ["digest/1/2026-11-23"]
    assert digests_of(replace(execution, status="FAILED", output="")) == []
