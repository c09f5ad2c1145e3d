"""A deployed schedule is fired by a copy of it that goes once."""

import json
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from moto import mock_aws

from deploy.local.aws.stand_in import LocalAws
from deploy.local.demo.firing import SCHEDULED_TIME, fire_soon

QUEUE = "arn:aws:sqs:us-east-2:000000000000:tasks"
ROLE = "arn:aws:iam::000000000000:role/scheduler"
MESSAGE = {"schedule": "daily_report_digest", "scheduled_at": SCHEDULED_TIME, "task": "daily_report_digest"}


def test_the_copy_goes_in_two_seconds_with_the_same_target_and_names_its_task() -> None:
    with mock_aws(), patch.object(LocalAws, "scheduler", LocalAws("", "", "")._session.client("scheduler")):
        aws = LocalAws("", "", "")
        group = "qu-security-dev-schedules"
        aws.scheduler.create_schedule_group(Name=group)
        aws.scheduler.create_schedule(
            GroupName=group,
            Name="daily_report_digest",
            ScheduleExpression="cron(0 7 * * ? *)",
            ScheduleExpressionTimezone="America/New_York",
            FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
            Target={"Arn": QUEUE, "RoleArn": ROLE, "Input": json.dumps(MESSAGE)},
        )
        before = datetime.now(UTC).replace(microsecond=0)

        task_id = fire_soon(aws, group, "daily_report_digest", {"date": "2026-11-23"})

        names = {one["Name"] for one in aws.scheduler.list_schedules(GroupName=group)["Schedules"]}
        [copy] = names - {"daily_report_digest"}
        made = aws.scheduler.get_schedule(GroupName=group, Name=copy)
        moment = datetime.strptime(made["ScheduleExpression"], "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=UTC)
    assert before + timedelta(seconds=2) <= moment <= before + timedelta(seconds=10)
    assert task_id == f"daily_report_digest-{moment:%Y%m%dT%H%M%SZ}"
    assert (made["ScheduleExpressionTimezone"], made["ActionAfterCompletion"]) == ("UTC", "DELETE")
    assert (made["Target"]["Arn"], made["Target"]["RoleArn"]) == (QUEUE, ROLE)
    assert json.loads(made["Target"]["Input"]) == {**MESSAGE, "payload": {"date": "2026-11-23"}}
