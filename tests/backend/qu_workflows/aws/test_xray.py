"""One trace from Django's enqueueing through SQS to the execution."""

import errno
import json
import re
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from pytest_django import Settings

from common.tasks import process_guard_report
from lambdas.dispatch_tasks.handler import lambda_handler
from lambdas.dispatch_tasks.starts import step_functions
from lambdas.shared.runtime.aws import aws_client
from qu_workflows.protocol.traces import segment_id_of, trace_id_of
from qu_workflows.records.models import TaskRecord
from qu_workflows.tasks.sqs_sending import send
from tests.backend.qu_workflows.conftest import Queue
from tests.backend.qu_workflows.sample.tasks import add
from workflows.project import PROJECT

pytestmark = pytest.mark.django_db(transaction=True)

PASS = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
ROLE = "arn:aws:iam::123456789012:role/state-machine"
CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000)


@pytest.fixture
def starts(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:  # noqa: ARG001  moto is on
    """Give what StartExecution is asked for, by the dispatcher, as it comes."""
    client = boto3.client("stepfunctions", "us-east-2")
    arns = {
        workflow: client.create_state_machine(name=workflow, definition=PASS, roleArn=ROLE)["stateMachineArn"]
        for workflow in PROJECT.workflows
    }
    monkeypatch.setenv("STATE_MACHINE_ARNS", json.dumps(arns))
    aws_client.cache_clear()
    asked: list[dict[str, Any]] = []
    dispatcher: Any = step_functions()
    dispatcher.meta.events.register(
        "before-parameter-build.stepfunctions.StartExecution", lambda params, **_: asked.append(dict(params))
    )
    yield asked
    aws_client.cache_clear()


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Give the socket of one that stands in for X-Ray's daemon."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(2)
        port = listening.getsockname()[1]
        monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", f"tcp:127.0.0.1:1 udp:127.0.0.1:{port}")
        yield listening


def deliver(message: dict[str, Any]) -> dict[str, Any]:
    """Return a received message as Lambda hands it to the function."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-2:123456789012:tasks",
    }


def root_of(header: str) -> str:
    return header.removeprefix("Root=").split(";")[0]


def test_the_execution_is_started_under_the_trace_that_began_when_django_enqueued(
    queue: Queue, starts: list[dict[str, Any]], settings: Settings
) -> None:
    settings.TRACE_SAMPLED_PERCENT = 100
    results = [process_guard_report.enqueue(report_id) for report_id in (1, 2)]

    lambda_handler({"Records": [deliver(message) for message in queue.messages()]}, CONTEXT)

    roots = {one["name"]: root_of(one["traceHeader"]) for one in starts}
    assert roots == {
        result.id: trace_id_of(result.id, TaskRecord.objects.get(pk=result.id).enqueued_at) for result in results
    }
    assert all(one["traceHeader"].endswith("Sampled=1") for one in starts)


def test_a_task_that_is_sent_twice_stays_in_one_trace(queue: Queue) -> None:
    record = TaskRecord.objects.get(pk=add.enqueue(1).id)

    send([record])

    headers = [message["Attributes"]["AWSTraceHeader"] for message in queue.messages()]
    assert len(headers) == 2
    assert len(set(headers)) == 1


def test_a_schedulers_message_without_header_gets_its_own_trace(
    queue: Queue, starts: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACE_SAMPLED_PERCENT", "100")
    body = {"schedule": "watch_stuck", "scheduled_at": "2026-11-24T12:00:00Z", "task": "watch_stuck", "payload": {}}
    boto3.client("sqs", "us-east-2").send_message(QueueUrl=queue.url, MessageBody=json.dumps(body))
    [message] = queue.messages()

    for _ in range(2):  # delivered twice
        lambda_handler({"Records": [deliver(message)]}, CONTEXT)

    first, second = (one["traceHeader"] for one in starts)
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Sampled=1", first)
    assert first == second


def test_django_sends_the_daemon_the_parent_segment(queue: Queue, daemon: socket.socket, settings: Settings) -> None:
    settings.TRACE_SAMPLED_PERCENT = 100
    task_id = add.enqueue(1).id

    [message] = queue.messages()
    first_line, _, segment = daemon.recv(65_536).partition(b"\n")
    sent = json.loads(segment)

    assert json.loads(first_line) == {"format": "json", "version": 1}
    assert sent["annotations"] == {"task_id": task_id, "task": "sample_sum"}
    assert 0 <= sent["end_time"] - sent["start_time"] < 60
    header = message["Attributes"]["AWSTraceHeader"]
    assert header == f"Root={sent['trace_id']};Parent={sent['id']};Sampled=1"
    assert sent["id"] == segment_id_of(task_id)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:99999", f"{'x' * 64}:2000", "nonsense", ""])
def test_a_daemon_that_is_not_there_keeps_no_task_from_leaving(
    queue: Queue, settings: Settings, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    settings.TRACE_SAMPLED_PERCENT = 100
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", address)

    for number in range(3):
        add.enqueue(number)

    assert len(queue.messages()) == 3


def test_a_process_without_descriptors_counts_what_it_sent_as_sent(
    queue: Queue, daemon: socket.socket, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_kind: Any) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    settings.TRACE_SAMPLED_PERCENT = 100
    result = add.enqueue(1)
    daemon.recv(65_536)
    monkeypatch.setattr("qu_workflows.aws.xray.socket", SimpleNamespace(**vars(socket) | {"socket": none_left}))

    record = TaskRecord.objects.get(pk=result.id)

    assert send([record]).sent == [record]
    assert len(queue.messages()) == 2
    daemon.settimeout(0)
    with pytest.raises(BlockingIOError):
        daemon.recv(1)


def test_unsampled_tasks_send_no_segment(queue: Queue, daemon: socket.socket, settings: Settings) -> None:
    settings.TRACE_SAMPLED_PERCENT = 0
    add.enqueue(1)
    daemon.settimeout(0)

    [message] = queue.messages()

    assert message["Attributes"]["AWSTraceHeader"].endswith(";Sampled=0")
    with pytest.raises(BlockingIOError):
        daemon.recv(1)
