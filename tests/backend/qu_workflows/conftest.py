import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from django.test import modify_settings
from moto import mock_aws
from pytest_django import Settings

from qu_workflows.aws import clients as aws
from qu_workflows.dead_letters import receiving
from qu_workflows.tasks.registry import registered_tasks
from tests.backend.qu_workflows.dead_letter_queues import DeadLetterQueue, make_queues
from tests.backend.qu_workflows.operated import Operated
from tests.workflows.engine.server.served import Server

SAMPLE_APP = "tests.backend.qu_workflows.sample"
BUCKET = "files-of-the-tests"


@pytest.fixture(scope="package", autouse=True)
def _sample_app() -> Iterator[None]:
    with modify_settings(INSTALLED_APPS={"append": SAMPLE_APP}):
        registered_tasks.cache_clear()
        yield
    registered_tasks.cache_clear()


@pytest.fixture(autouse=True)
def _new_clients() -> Iterator[None]:
    aws.forget_clients()
    yield
    aws.forget_clients()


@dataclass
class Queue:
    url: str

    def messages(self) -> list[dict[str, Any]]:
        """Take every message, with its attributes."""
        taken: list[dict[str, Any]] = []
        while (
            got := aws.sqs()
            .receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"])
            .get("Messages")
        ):
            taken += [dict(message) for message in got]
            for message in got:
                aws.sqs().delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return taken

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(message["Body"]) for message in self.messages()]

    def size(self) -> int:
        given = aws.sqs().get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])["Attributes"]
        return int(given["ApproximateNumberOfMessages"]) + int(given["ApproximateNumberOfMessagesDelayed"])


@pytest.fixture
def _moto() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.fixture
def queue(_moto: None, settings: Settings) -> Queue:
    settings.USE_ASYNC_TASKS = True
    settings.AWS_SQS_QUEUE_URL = boto3.client("sqs", "us-east-2").create_queue(QueueName="tasks")["QueueUrl"]
    return Queue(settings.AWS_SQS_QUEUE_URL)


@pytest.fixture
def fifo_queue(_moto: None, settings: Settings) -> Queue:
    settings.USE_ASYNC_TASKS = True
    settings.AWS_SQS_QUEUE_URL = boto3.client("sqs", "us-east-2").create_queue(
        QueueName="tasks.fifo", Attributes={"FifoQueue": "true"}
    )["QueueUrl"]
    return Queue(settings.AWS_SQS_QUEUE_URL)


@pytest.fixture
def bucket(_moto: None, settings: Settings) -> str:
    settings.AWS_STORAGE_BUCKET_NAME = BUCKET
    boto3.client("s3", "us-east-2").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-east-2"}
    )
    return BUCKET


@pytest.fixture
def queue_down(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue behind a closed port, with retries but without waits."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    settings.USE_ASYNC_TASKS = True
    settings.AWS_SQS_QUEUE_URL = f"http://127.0.0.1:{port}/123456789012/tasks"
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _seconds: None))


@pytest.fixture
def dlq(_moto: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> DeadLetterQueue:
    """Both queues, at an endpoint that has no moves of its own."""
    monkeypatch.setattr(receiving, "WAIT_SECONDS", 0)  # moto is one server, and has no false empty answers
    return make_queues(settings)


@pytest.fixture(scope="package")
def _engine() -> Iterator[Server]:
    server = Server()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def operated(_engine: Server, monkeypatch: pytest.MonkeyPatch) -> Operated:
    """A Step Functions that supports redrive, which moto's does not."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", _engine.url)
    return Operated(_engine)
