"""Answers of SES, and whether the mail was sent."""

import json
import socket
import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, NoCredentialsError, ReadTimeoutError, SSLError
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from lambdas.send_email.handler import lambda_handler
from lambdas.send_email.mime import Mail
from lambdas.send_email.ses import AnswerLost, SesMailer
from lambdas.shared.runtime.settings import SettingError
from lambdas.shared.storage import sent_emails
from tests.lambdas.aws_answers import always_answer
from workflows.errors import EmailRefused, EmailServiceUnavailable

MESSAGE = message_from_bytes(b"From: noreply@example.com\r\n\r\nAll quiet.\r\n", EmailMessage, policy=SMTP)
MAIL = Mail("noreply@example.com", "guard-1@example.com", MESSAGE)


def client_for(**options: Any) -> Any:
    once = Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=0.5)
    return boto3.client("sesv2", region_name="us-east-2", config=once, **options)


def answering(status: int, code: str, message: str = "") -> SesMailer:
    """Return a mailer whose SES returns this error for every call."""
    client = client_for()
    always_answer(client, status, json.dumps({"message": message}).encode(), {"x-amzn-errortype": code})
    return SesMailer(client=client)


def raising(error: Exception) -> SesMailer:
    client = client_for()

    def fail(**_: Any) -> None:
        raise error

    client.meta.events.register("before-send.sesv2.*", fail)
    return SesMailer(client=client)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "MessageRejected"),
        (400, "MailFromDomainNotVerifiedException"),
        (400, "BadRequestException"),
        (400, "AccountSuspendedException"),
        (400, "SendingPausedException"),
    ],
)
def test_a_refusal_is_permanent_and_hides_the_address(status: int, code: str) -> None:
    with pytest.raises(EmailRefused, match=code) as caught:
        answering(status, code, "Email address is not verified: guard-1@example.com").send(MAIL, "t-1")

    assert "guard-1" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (429, "TooManyRequestsException"),
        (400, "LimitExceededException"),
        (400, "ThrottlingException"),
        (400, "Throttling"),
        (503, "ServiceUnavailable"),
    ],
)
def test_a_throttled_mail_is_transient(status: int, code: str) -> None:
    with pytest.raises(EmailServiceUnavailable, match=code):
        answering(status, code).send(MAIL, "t-1")


@pytest.mark.parametrize(("status", "code"), [(500, "InternalFailure"), (502, "BadGateway"), (504, "GatewayTimeout")])
def test_after_an_internal_error_the_answer_is_lost(status: int, code: str) -> None:
    with pytest.raises(AnswerLost):
        answering(status, code).send(MAIL, "t-1")


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AccessDeniedException"), (404, "NotFoundException"), (403, "ExpiredTokenException")]
)
def test_errors_of_the_deployment_are_raised_unchanged(status: int, code: str) -> None:
    with pytest.raises(ClientError, match=code):
        answering(status, code).send(MAIL, "t-1")


def test_an_unreadable_answer_is_lost() -> None:
    with pytest.raises(AnswerLost):
        answering(200, "").send(MAIL, "t-1")  # no MessageId in it


def test_a_service_that_is_not_reached_is_transient() -> None:
    with pytest.raises(EmailServiceUnavailable, match="not reached"):
        SesMailer(client=client_for(endpoint_url="http://127.0.0.1:1")).send(MAIL, "t-1")


@pytest.mark.parametrize("behaviour", ["silent", "hangs up"])
def test_a_service_without_an_answer_may_have_sent_the_mail(behaviour: str) -> None:
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                asked.append(connection.recv(100))
                if behaviour == "silent":
                    connection.recv(100_000)
                    done.wait(5)

        done = threading.Event()
        thread = threading.Thread(target=serve)
        thread.start()
        mailer = SesMailer(client=client_for(endpoint_url=f"http://127.0.0.1:{server.getsockname()[1]}"))
        with pytest.raises(AnswerLost):
            mailer.send(MAIL, "t-1")
        done.set()
        thread.join()

    assert len(asked) == 1
    assert asked[0].startswith(b"POST ")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ReadTimeoutError(endpoint_url="https://ses"), AnswerLost),
        (SSLError(endpoint_url="https://ses", error=OSError("record layer failure")), AnswerLost),
        (SSLError(endpoint_url="https://ses", error=OSError("CERTIFICATE_VERIFY_FAILED")), EmailServiceUnavailable),
        (NoCredentialsError(), NoCredentialsError),
        (ZeroDivisionError(), AnswerLost),
    ],
)
def test_only_an_error_after_the_request_is_a_lost_answer(error: Exception, expected: type[Exception]) -> None:
    with pytest.raises(expected):
        raising(error).send(MAIL, "t-1")


def test_the_client_never_retries_and_times_out_within_a_claim() -> None:
    client: Any = SesMailer()._client
    asked = always_answer(client, 503, b"{}")

    with pytest.raises(EmailServiceUnavailable):
        SesMailer().send(MAIL, "t-1")

    assert len(asked) == 1
    timeouts = client.meta.config.connect_timeout + client.meta.config.read_timeout
    assert timeouts <= sent_emails.CLAIM_SECONDS - 10


def test_the_request_names_its_recipient_and_its_task() -> None:
    seen: list[dict[str, Any]] = []
    client = client_for()

    def look(request: Any, **_: Any) -> None:
        seen.append(json.loads(request.body))
        raise ReadTimeoutError(endpoint_url=request.url)

    client.meta.events.register("before-send.sesv2.*", look)
    for configuration_set in ("", "mails"):
        with pytest.raises(AnswerLost):
            SesMailer(configuration_set, client).send(MAIL, "t-1")

    assert seen[0]["Destination"] == {"ToAddresses": ["guard-1@example.com"]}
    assert seen[0]["EmailTags"] == [{"Name": "task_id", "Value": "t-1"}]
    assert [request.get("ConfigurationSetName") for request in seen] == [None, "mails"]


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The resources on AWS: bucket, table, a verified sender."""
    monkeypatch.setenv("AWS_STORAGE_BUCKET_NAME", "files")
    monkeypatch.setenv("SENT_EMAILS_TABLE", "sent-emails")
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="files", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
        boto3.client("dynamodb").create_table(
            TableName="sent-emails",
            KeySchema=[{"AttributeName": "send_once_key", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "send_once_key", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        boto3.client("sesv2").create_email_identity(EmailIdentity="noreply@example.com")
        yield s3


EVENT = {
    "task_id": "t-1",
    "email": {"email_key": "emails/guard_report/1/2.json", "send_once_key": "guard_report/1/2"},
}


def test_the_step_sends_by_ses_once(deployed: Any) -> None:
    document = {
        "sender": "QU Security <noreply@example.com>",
        "to": "guard-1@example.com",
        "subject": "Informe ✓",
        "text": "All quiet.",
        "html": "<p>All quiet.</p>",
    }
    deployed.put_object(Bucket="files", Key="emails/guard_report/1/2.json", Body=json.dumps(document))

    first, second = lambda_handler(EVENT, None), lambda_handler(EVENT, None)

    (message,) = ses_backends[DEFAULT_ACCOUNT_ID]["us-east-2"].sent_messages
    assert (first["status"], first["message_id"]) == ("sent", message.id)
    assert second == {"status": "already_sent", "message_id": message.id}
    assert set(message.destinations) == {"guard-1@example.com"}  # moto reads the header too
    assert "multipart/alternative" in message.raw_data


def test_without_a_table_the_error_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SENT_EMAILS_TABLE", raising=False)

    with pytest.raises(SettingError, match="SENT_EMAILS_TABLE"):
        lambda_handler(EVENT, None)
