"""ministack with a limit of instances and scheduled times."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from deploy.local.aws.deployment import local_zip
from deploy.local.aws.ministack_server import bounded, scheduled_time, with_scheduled_time
from deploy.local.aws.stand_in import INSTANCES_PER_FUNCTION, LocalAws, start_aws
from deploy.local.processes import Processes, free_port
from qu_workflows.protocol.message import SCHEDULED_TIME, read_message, write_scheduled_message
from workflows.schedules import SCHEDULES


def test_concurrent_invocations_of_a_function_have_a_limit() -> None:
    running: dict[str, int] = {"a": 0, "b": 0}
    most = dict(running)
    lock = threading.Lock()

    def execute(function: dict[str, Any], config: dict[str, Any], *_: Any) -> dict[str, Any]:
        name = config["FunctionName"]
        with lock:
            running[name] += 1
            most[name] = max(most[name], running[name])
        time.sleep(0.01)
        with lock:
            running[name] -= 1
        return {"body": function["answer"]}

    execute_in_turn = bounded(execute, 2)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda name: execute_in_turn({"answer": name}, {"FunctionName": name}), "ab" * 8))

    assert most == {"a": 2, "b": 2}
    assert [answer["body"] for answer in answers] == list("ab" * 8)


def test_a_failed_invocation_gives_its_turn_back() -> None:
    def execute(*_: Any) -> dict[str, Any]:
        raise OSError("no more processes")

    execute_in_turn = bounded(execute, 1)
    errors = []
    for _ in range(3):
        try:
            execute_in_turn({}, {"FunctionName": "a"})
        except OSError as error:
            errors.append(str(error))

    assert errors == ["no more processes"] * 3


NOON = 1_795_521_600 + 42.7  # 2026-11-24 12:00:42.7 UTC


@pytest.mark.parametrize(
    ("expression", "time"),
    [
        ("rate(1 minute)", "2026-11-24T12:00:00Z"),
        ("cron(0 12 * * ? *)", "2026-11-24T12:00:00Z"),
        ("at(2026-11-24T11:59:07)", "2026-11-24T11:59:07Z"),
        ("rate(1 minutes)", "2026-11-24T12:00:00Z"),
    ],
)
def test_a_schedule_fires_for_its_own_time_or_for_this_minute(expression: str, time: str) -> None:
    assert scheduled_time(expression, NOON) == time


def test_a_schedule_s_message_gets_its_time_and_can_be_dispatched() -> None:
    sent: list[str] = []
    invoke = with_scheduled_time(lambda target, *_: sent.append(target["Input"]))
    target = {"Arn": "arn", "Input": write_scheduled_message(SCHEDULES[0])}

    invoke(target, {"Source": "aws.scheduler", "Time": NOON}, {"ScheduleExpression": "rate(1 minute)"})

    assert read_message(sent[0], "unused").name == f"{SCHEDULES[0].name}-20261124T120000Z"
    assert "<aws.scheduler.scheduled-time>" in target["Input"]  # the schedule's own stays


def test_what_no_schedule_sends_is_left_alone() -> None:
    sent: list[Any] = []
    invoke = with_scheduled_time(lambda *arguments: sent.append(arguments))
    target, event = {"Input": "<aws.scheduler.scheduled-time>"}, {"Source": "aws.states", "Time": NOON}

    invoke(target, event, {}, "view")
    invoke({}, {"Source": "aws.scheduler", "Time": NOON}, {})

    assert sent == [(target, event, {}, "view"), ({}, {"Source": "aws.scheduler", "Time": NOON}, {})]


REQUESTS: list[tuple[dict[str, str], int]] = [
    ({}, 200),
    ({"Origin": "http://127.0.0.1:8000"}, 200),
    ({"Host": "bucket.localhost:4566"}, 200),
    ({"Origin": "https://example.com"}, 403),
    ({"Origin": "http://localhost.example.com"}, 403),
    ({"Origin": "null"}, 403),
    ({"Host": "rebound.example.com:4566"}, 403),
    ({"Host": "[::1"}, 403),
]


HANDLER = """
import os, pathlib, time

def handle(event, context):
    mark = pathlib.Path(event["folder"]) / context.aws_request_id
    mark.touch()
    time.sleep(0.3)
    running = len(list(mark.parent.iterdir()))
    mark.unlink()
    return running
"""


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[LocalAws]:
    """The server itself."""
    for name in ("logs", "code", "running"):
        (tmp_path / name).mkdir()
    (tmp_path / "code" / "handler.py").write_text(HANDLER)
    processes = Processes()
    try:
        yield start_aws(processes, tmp_path, free_port(), "http://127.0.0.1:9", tmp_path / "code", keeps_files=False)
    finally:
        processes.stop()


def test_a_page_of_another_site_is_refused(aws: LocalAws) -> None:
    for headers, status in REQUESTS:
        for method in ("GET", "OPTIONS"):
            connection = http.client.HTTPConnection(urlsplit(aws.endpoint).netloc, timeout=10)
            connection.request(method, "/_ministack/health", headers=headers)
            assert connection.getresponse().status == status, (method, headers)
            connection.close()


def test_the_server_bounds_a_function_s_instances(aws: LocalAws, tmp_path: Path) -> None:
    at_once = INSTANCES_PER_FUNCTION + 4
    aws.functions.create_function(
        FunctionName="counts",
        Runtime="provided.al2023",
        Handler="handler.handle",
        Role="arn:aws:iam::000000000000:role/none",
        Code={"ZipFile": local_zip(tmp_path / "code")},
    )

    def invoke(_number: int) -> int:
        event = json.dumps({"folder": str(tmp_path / "running")})
        answer = aws.functions.invoke(FunctionName="counts", Payload=event)["Payload"].read()
        return int(json.loads(answer))

    with ThreadPoolExecutor(at_once) as pool:
        running = list(pool.map(invoke, range(at_once)))

    assert max(running) <= INSTANCES_PER_FUNCTION
    assert len(running) == at_once


def test_the_server_fires_a_schedule_at_its_second_with_its_time(aws: LocalAws) -> None:
    url = aws.sqs.create_queue(QueueName="due")["QueueUrl"]
    moment = datetime.now(UTC) + timedelta(seconds=1)
    aws.scheduler.create_schedule(
        Name="soon",
        ScheduleExpression=f"at({moment:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": "arn:aws:sqs:us-east-2:000000000000:due",
            "RoleArn": "arn:aws:iam::000000000000:role/none",
            "Input": f"due {SCHEDULED_TIME}",
        },
    )

    [message] = aws.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=7)["Messages"]  # by itself it takes up to ten

    assert message["Body"] == f"due {moment:%Y-%m-%dT%H:%M:%SZ}"
