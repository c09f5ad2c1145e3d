"""Fixtures: the ledger's table, a store in a folder, and a scripted mailer."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from lambdas.send_email.mime import Mail
from lambdas.shared.storage.objects import DiskObjects
from lambdas.shared.storage.sent_emails import DynamoDbSentEmails

TABLE = "sent-emails"


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-2")
        client.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "send_once_key", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "send_once_key", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


@pytest.fixture
def ledger(dynamodb: Any) -> DynamoDbSentEmails:
    return DynamoDbSentEmails(TABLE, dynamodb)


@pytest.fixture
def objects(tmp_path: Path) -> DiskObjects:
    return DiskObjects(tmp_path)


class ScriptedMailer:
    """Follows a script for the first mails, and then sends all others."""

    def __init__(self) -> None:
        self.script: list[Exception | BaseException | Callable[[], None]] = []
        self.taken: list[Mail] = []

    def send(self, mail: Mail, task_id: str) -> str:  # noqa: ARG002  the Mailer protocol
        if self.script:
            step = self.script.pop(0)
            if isinstance(step, BaseException):
                raise step
            step()
        self.taken.append(mail)
        return f"message-{len(self.taken)}"


@pytest.fixture
def mailer() -> ScriptedMailer:
    return ScriptedMailer()
