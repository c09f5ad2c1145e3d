"""What a history says: which attempts failed, and which digests were sent."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from deploy.local.demo.executions import ExecutionEnd, digests_of, read_execution

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
ARN = "arn:aws:states:us-east-2:000000000000:execution:guard_report:1"


def event(number: int, kind: str, **details: Any) -> dict[str, Any]:
    return {"id": number, "timestamp": START, "type": kind, **details}


@pytest.mark.parametrize(("ended", "seconds"), [({"stopDate": START + timedelta(seconds=4.5)}, 4.5), ({}, 0.0)])
def test_an_execution_is_read_with_the_errors_of_failed_attempts_in_order(
    ended: dict[str, Any], seconds: float
) -> None:
    client = boto3.client("stepfunctions")
    described = {"executionArn": ARN, "stateMachineArn": ARN, "status": "RUNNING", "startDate": START, "input": "{}"}
    failed = {"error": "StorageUnavailable", "resourceType": "lambda", "resource": "invoke"}
    pages = [
        [event(1, "TaskFailed", taskFailedEventDetails=failed), event(2, "TaskSucceeded")],
        [event(3, "LambdaFunctionTimedOut", lambdaFunctionTimedOutEventDetails={})],
    ]
    with Stubber(client) as stub:
        stub.add_response("describe_execution", described | ended, {"executionArn": ARN})
        stub.add_response("get_execution_history", {"events": pages[0], "nextToken": "more"}, {"executionArn": ARN})
        stub.add_response("get_execution_history", {"events": pages[1]}, {"executionArn": ARN, "nextToken": ANY})

        execution = read_execution(client, ARN)

    assert execution.failed_tries == ["StorageUnavailable", "States.Timeout"]
    assert (execution.status, execution.seconds, execution.redrives) == ("RUNNING", seconds, 0)


def test_the_digests_of_an_execution_are_those_that_were_sent() -> None:
    digests = [{"client_id": 1, "status": "sent"}, {"client_id": 2, "status": "not_sent", "error": "EmailRefused"}]
    output = json.dumps({"date": "2026-11-23", "digests": digests})
    execution = ExecutionEnd("arn", "SUCCEEDED", "{}", output, 1.0, [])

    assert digests_of(execution) == ["digest/1/2026-11-23"]
    assert digests_of(replace(execution, status="FAILED", output="")) == []
