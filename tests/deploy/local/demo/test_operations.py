"""A deployed schedule is fired by a copy of it that goes once."""

import json
from datetime import UTC, datetime, timedelta

import boto3
from moto import mock_aws

from deploy.local.demo.operations import fire_soon

TARGET = {
    "Arn": "arn:aws:sqs:us-east-2:000000000000:tasks",
    "RoleArn": "arn:aws:iam::000000000000:role/scheduler",
    "Input": json.dumps({"schedule": "daily_report_digest", "task": "daily_report_digest"}),
}


def test_the_copy_goes_in_two_seconds_with_the_same_target_and_names_its_task() -> None:
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
