"""Executions read from their history, and a schedule fired by a one-time copy."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from moto import mock_aws

from deploy.local.demo.operations import ExecutionEnd, digests_of, fire_soon, read_execution

TARGET = {
    "Arn": "arn:aws:sqs:us-east-2:000000000000:tasks",
    "RoleArn": "arn:aws:iam::000000000000:role/scheduler",
    "Input": json.dumps({"schedule": "daily_report_digest", "task": "daily_report_digest"}),
}


def test_the_copy_fires_in_two_seconds_with_the_same_target() -> None:
    group = "qu-security-dev-schedules"
    with mock_aws():
        scheduler = boto3.client("scheduler")
        scheduler.create_schedule_group(Name=group)
        scheduler.create_schedule(
            GroupName=group,
            Name="daily_report_digest",
            ScheduleExpression="cron(0 7 * * ? *)",
            ScheduleExpressionTimezone="America/New_York",
            FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
            Target=TARGET,  # type: ignore[arg-type]  # a plain dict
        )
        before = datetime.now(UTC).replace(microsecond=0)

        task_id = fire_soon(scheduler, group, "daily_report_digest")

        names = {one["Name"] for one in scheduler.list_schedules(GroupName=group)["Schedules"]}
        [copy] = names - {"daily_report_digest"}
        made = scheduler.get_schedule(GroupName=group, Name=copy)
    moment = datetime.strptime(made["ScheduleExpression"], "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=UTC)
    assert before + timedelta(seconds=2) <= moment <= before + timedelta(seconds=10)
    assert task_id == f"daily_report_digest-{moment:%Y%m%dT%H%M%SZ}"
    assert (made["ScheduleExpressionTimezone"], made["ActionAfterCompletion"]) == ("UTC", "DELETE")
    assert made["Target"].items() >= TARGET.items()


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
