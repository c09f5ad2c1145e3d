"""Log lines of a step, from CloudWatch Logs and from a file."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from moto import mock_aws
from pytest_django import Settings

from qu_workflows.executions.step_logs import MOST_LINES, function_of, step_log

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
GROUP = "/aws/lambda/qu-dev-make_thumbnails"


@pytest.mark.parametrize(
    ("resource", "parameters", "name"),
    [
        ("arn:aws:lambda:eu-west-1:123456789012:function:qu-dev-work", None, "qu-dev-work"),
        ("arn:aws:lambda:eu-west-1:123456789012:function:qu-dev-work:live", None, "qu-dev-work"),
        ("lambda:invoke", '{"FunctionName": "arn:aws:lambda:eu-west-1:1:function:work:$LATEST"}', "work"),
        ("lambda:invoke.waitForTaskToken", '{"FunctionName": "work"}', "work"),
        ("lambda:invoke", "not json", ""),
        ("sqs:sendMessage", '{"QueueUrl": "x"}', ""),
        ("", None, ""),
    ],
)
def test_a_call_names_its_function(resource: str, parameters: str | None, name: str) -> None:
    assert function_of(resource, parameters) == name


@mock_aws
def test_the_log_is_filtered_by_task_and_time_of_its_step(settings: Settings) -> None:
    settings.FUNCTIONS_LOG_FILE = ""
    client = boto3.client("logs", settings.AWS_REGION)
    client.create_log_group(logGroupName=GROUP)
    client.create_log_stream(logGroupName=GROUP, logStreamName="one")
    now = datetime.now(UTC)
    lines = [
        (now - timedelta(hours=1), {"task_id": "task-1", "message": "too early"}),
        (now, {"task_id": "task-1", "message": "step done", "level": "INFO", "seconds": 0.4}),
        (now, {"task_id": "task-2", "message": "of another"}),
    ]
    events = [{"timestamp": int(at.timestamp() * 1000), "message": json.dumps(line)} for at, line in lines]
    client.put_log_events(logGroupName=GROUP, logStreamName="one", logEvents=events)  # type: ignore[arg-type]

    found = step_log("task-1", "qu-dev-make_thumbnails", now, now)

    assert [(line.message, line.level, line.details) for line in found.lines] == [
        ("step done", "INFO", {"seconds": 0.4})
    ]
    assert (found.where, found.unanswered) == (GROUP, "")


@mock_aws
def test_without_a_log_group_that_is_said(settings: Settings) -> None:
    settings.FUNCTIONS_LOG_FILE = ""

    assert "no log group /aws/lambda/nothing" in step_log("task-1", "nothing", NOON, NOON).unanswered


def test_a_file_that_is_not_there_is_said_to_be_none(settings: Settings, tmp_path: Path) -> None:
    settings.FUNCTIONS_LOG_FILE = str(tmp_path / "functions.log")

    assert "cannot be read" in step_log("task-1", "work", NOON, NOON).unanswered


def test_a_log_file_shows_limited_lines_of_the_function_and_time(settings: Settings, tmp_path: Path) -> None:
    def line(name: str, at: datetime, message: str) -> str:
        said = {"task_id": "task-1", "message": message, "timestamp": f"{at:%Y-%m-%d %H:%M:%S},123+0000"}
        return f"{name} {json.dumps(said)}\n"

    file = tmp_path / "functions.log"
    settings.FUNCTIONS_LOG_FILE = str(file)
    wanted = "".join(line("qu-dev-work", NOON, f"line {number}") for number in range(MOST_LINES + 1))
    others = line("qu-dev-rework", NOON, "not its function") + line("qu-dev-work", NOON - timedelta(days=1), "not now")
    file.write_text(f"no json about task-0\n{others}{wanted}", encoding="utf-8")

    found = step_log("task-1", "qu-dev-work", NOON, NOON)

    assert [one.message for one in found.lines] == [f"line {number}" for number in range(MOST_LINES)]
    assert found.cut
