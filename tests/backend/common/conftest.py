import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from pytest_django import Settings

from qu_workflows.aws import clients as aws

type Bodies = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def sent(settings: Settings) -> Iterator[Bodies]:
    """Switch the queue on, and give what was sent to it."""
    with mock_aws():
        aws.forget_clients()
        url = boto3.client("sqs", "us-east-2").create_queue(QueueName="tasks")["QueueUrl"]
        settings.USE_ASYNC_TASKS = True
        settings.AWS_SQS_QUEUE_URL = url

        def bodies() -> list[dict[str, Any]]:
            got = aws.sqs().receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
            return [json.loads(message["Body"]) for message in got]

        yield bodies
    aws.forget_clients()
