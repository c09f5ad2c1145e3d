"""One mail is sent for each key, despite failures and concurrent attempts."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.send_email.sending import send_once
from lambdas.send_email.ses import AnswerLost
from lambdas.shared.runtime.powertools import metrics
from lambdas.shared.storage.objects import DiskObjects
from lambdas.shared.storage.sent_emails import CLAIM_SECONDS, KEPT_SECONDS, Claim, DynamoDbSentEmails, Entry
from tests.lambdas.pictures import corners, encoded
from workflows.contracts.notification_email import RenderedEmail, SentEmail
from workflows.errors import EmailRefused, EmailServiceUnavailable, PayloadInvalid, StorageUnavailable

EMAIL = RenderedEmail(email_key="emails/guard_report/1/2.json", send_once_key="guard_report/1/2")
THROTTLED = EmailServiceUnavailable("SES", "did not accept the mail.", "Try again.")
REFUSED = EmailRefused("SES", "refused the mail.", "Verify the sender.")
NOW = 1_800_000_000.0

Send = Callable[..., SentEmail]


@pytest.fixture
def send(objects: DiskObjects, ledger: DynamoDbSentEmails, mailer: Any) -> Send:
    """Send the mail ``at`` seconds after the first attempt."""
    write_document(objects)

    def send(at: float = 0.0, with_ledger: Any = ledger, email: RenderedEmail = EMAIL) -> SentEmail:
        return send_once(email, "t-1", objects=objects, ledger=with_ledger, mailer=mailer, clock=lambda: NOW + at)

    return send


def write_document(objects: DiskObjects, **changed: Any) -> None:
    document = {
        "sender": "QU Security <noreply@example.com>",
        "to": "guard-1@example.com",
        "subject": "Report of the night",
        "text": "All quiet.",
        "html": "<p>All quiet.</p>",
        "images": [],
    }
    objects.write(EMAIL.email_key, json.dumps(document | changed).encode(), "application/json")


def test_a_mail_is_sent_and_recorded(send: Send, mailer: Any, dynamodb: Any) -> None:
    assert send() == SentEmail(status="sent", message_id="message-1")

    assert mailer.taken[0].to == "guard-1@example.com"
    item = dynamodb.get_item(TableName="sent-emails", Key={"send_once_key": {"S": "guard_report/1/2"}})["Item"]
    assert (item["status"], item["message_id"], item["task_id"]) == ({"S": "sent"}, {"S": "message-1"}, {"S": "t-1"})
    assert int(item["expires_at"]["N"]) == int(NOW) + KEPT_SECONDS


def test_the_ledger_has_no_address_or_subject(send: Send, dynamodb: Any) -> None:
    send()

    kept = json.dumps(dynamodb.scan(TableName="sent-emails")["Items"])
    assert "example.com" not in kept
    assert "Report" not in kept


def test_a_retry_returns_the_first_message_id(send: Send, mailer: Any) -> None:
    send()

    assert send() == SentEmail(status="already_sent", message_id="message-1")
    assert len(mailer.taken) == 1


def test_a_sent_mail_no_longer_needs_its_document(send: Send, objects: DiskObjects) -> None:
    send()
    write_document(objects, to="no address")

    assert send().status == "already_sent"


def test_another_mail_is_sent_too(send: Send, mailer: Any) -> None:
    send()
    send(email=EMAIL.model_copy(update={"send_once_key": "guard_report/1/3"}))

    assert len(mailer.taken) == 2


@pytest.mark.parametrize("error", [THROTTLED, REFUSED, PermissionError("no right to send")])
def test_a_mail_that_ses_refused_is_sent_by_a_retry(send: Send, mailer: Any, error: Exception) -> None:
    mailer.script = [error]

    with pytest.raises(type(error)):
        send()
    assert send(at=1) == SentEmail(status="sent", message_id="message-1")


def test_a_lost_answer_is_unconfirmed_and_never_sent_again(send: Send, mailer: Any) -> None:
    mailer.script = [AnswerLost("ReadTimeoutError")]

    assert send() == SentEmail(status="unconfirmed")
    assert send(at=CLAIM_SECONDS) == SentEmail(status="unconfirmed")
    assert send(at=KEPT_SECONDS) == SentEmail(status="unconfirmed")
    assert mailer.taken == []


def test_an_attempt_that_died_is_unconfirmed_later(send: Send, mailer: Any) -> None:
    mailer.script = [KeyboardInterrupt()]  # not handled, like the death of the process
    with pytest.raises(KeyboardInterrupt):
        send()

    with pytest.raises(EmailServiceUnavailable, match="another attempt"):
        send(at=CLAIM_SECONDS - 1)
    assert send(at=CLAIM_SECONDS).status == "unconfirmed"
    assert mailer.taken == []


def test_a_concurrent_attempt_waits_for_the_outcome(send: Send, mailer: Any) -> None:
    def meanwhile() -> None:
        with pytest.raises(EmailServiceUnavailable, match="another attempt"):
            send(at=2)

    mailer.script = [meanwhile]

    assert send() == SentEmail(status="sent", message_id="message-1")
    assert send(at=3) == SentEmail(status="already_sent", message_id="message-1")


def test_a_concurrent_attempt_sends_a_throttled_mail(send: Send, mailer: Any) -> None:
    def meanwhile_and_then_throttled() -> None:
        with pytest.raises(EmailServiceUnavailable, match="another attempt"):
            send(at=2)
        raise THROTTLED

    mailer.script = [meanwhile_and_then_throttled]

    with pytest.raises(EmailServiceUnavailable, match="not accept"):
        send()
    assert send(at=4).status == "sent"
    assert len(mailer.taken) == 1


def test_one_of_two_attempts_without_an_entry_sends(send: Send, mailer: Any, ledger: DynamoDbSentEmails) -> None:
    class Late:
        """A ledger that another attempt uses between find and claim."""

        def find(self, send_once_key: str) -> Entry | None:
            entry = ledger.find(send_once_key)
            send()
            return entry

        def __getattr__(self, name: str) -> Any:
            return getattr(ledger, name)

    assert send(with_ledger=Late()) == SentEmail(status="already_sent", message_id="message-1")
    assert len(mailer.taken) == 1


def test_a_sent_mail_that_cannot_be_recorded_is_sent(send: Send, mailer: Any, ledger: DynamoDbSentEmails) -> None:
    assert send(with_ledger=Broken(ledger, "confirm")) == SentEmail(status="sent", message_id="message-1")

    assert send(at=CLAIM_SECONDS).status == "unconfirmed"
    assert len(mailer.taken) == 1


def test_a_claim_that_cannot_be_released_hides_no_error(send: Send, mailer: Any, ledger: DynamoDbSentEmails) -> None:
    mailer.script = [REFUSED]

    with pytest.raises(EmailRefused):
        send(with_ledger=Broken(ledger, "release"))


@pytest.mark.parametrize("call", ["find", "claim"])
def test_without_the_ledger_no_mail_is_sent(send: Send, mailer: Any, ledger: DynamoDbSentEmails, call: str) -> None:
    with pytest.raises(StorageUnavailable):
        send(with_ledger=Broken(ledger, call))
    assert mailer.taken == []


def test_a_mail_has_pictures_except_missing_ones(send: Send, mailer: Any, objects: DiskObjects) -> None:
    picture = encoded(corners(), "JPEG")
    objects.write("thumbnails/x/email.jpg", picture, "image/jpeg")
    images = [
        {"content_id": name, "key": f"thumbnails/{name}/email.jpg", "media_type": "image/jpeg", "alt": ""}
        for name in ("x", "gone")
    ]
    write_document(objects, images=images)

    assert send().status == "sent"
    assert mailer.taken[0].raw.count(b"Content-ID: <x>") == 1
    assert b"<gone>" not in mailer.taken[0].raw


def test_an_invalid_mail_is_refused_before_the_claim(
    send: Send, objects: DiskObjects, ledger: DynamoDbSentEmails
) -> None:
    gone = EMAIL.model_copy(update={"email_key": "emails/gone.json"})
    with pytest.raises(EmailRefused, match="gone"):
        send(email=gone)
    write_document(objects, to="no address")
    with pytest.raises(EmailRefused, match="address"):
        send()
    objects.write(EMAIL.email_key, b"{}", "application/json")
    with pytest.raises(PayloadInvalid, match="not a rendered mail"):
        send()

    assert ledger.find(EMAIL.send_once_key) is None


def test_each_outcome_is_counted(send: Send, mailer: Any) -> None:
    metrics.clear_metrics()
    mailer.script = [REFUSED, AnswerLost("ReadTimeoutError")]

    with pytest.raises(EmailRefused):
        send()
    send()
    send(email=EMAIL.model_copy(update={"send_once_key": "other"}))

    assert {name: metric["Value"] for name, metric in metrics.metric_set.items()} == {
        "EmailsRefused": [1.0],
        "EmailsUnconfirmed": [1.0],
        "EmailsSent": [1.0],
    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.uuids().map(str),
    script=st.lists(st.sampled_from(["taken", "throttled", "refused", "lost", "died"]), min_size=1, max_size=6),
    pauses=st.lists(st.integers(0, 2 * CLAIM_SECONDS), min_size=8, max_size=8),
)
def test_at_most_one_mail_is_sent(send: Send, mailer: Any, key: str, script: list[str], pauses: list[int]) -> None:
    """Attempts with any outcomes; a lost answer means that SES sent the mail."""
    mailer.taken.clear()
    out = 0

    def lose() -> None:
        nonlocal out
        out += 1
        raise AnswerLost("ReadTimeoutError")

    endings = {"taken": lambda: None, "throttled": THROTTLED, "refused": REFUSED, "lost": lose, "died": SystemExit()}
    mailer.script = [endings[name] for name in script]
    answers = []
    at = 0
    for pause in pauses:
        at += pause
        try:
            answers.append(send(at=at, email=EMAIL.model_copy(update={"send_once_key": key})).status)
        except (EmailRefused, EmailServiceUnavailable, SystemExit):
            continue

    assert len(mailer.taken) + out <= 1
    assert answers.count("sent") == len(mailer.taken)
    if "sent" in answers:
        assert set(answers[answers.index("sent") + 1 :]) <= {"already_sent"}


class Broken:
    """A ledger with a failing method."""

    def __init__(self, ledger: DynamoDbSentEmails, call: str) -> None:
        self._ledger, self._call = ledger, call

    def __getattr__(self, name: str) -> Any:
        if name != self._call:
            return getattr(self._ledger, name)

        def unavailable(*_: Any) -> None:
            raise StorageUnavailable("ledger", "DynamoDB was not reached.", "Try again.")

        return unavailable


def claim(token: str, at: float = NOW) -> Claim:
    return Claim("mail", "t-1", token, at)


def test_a_claim_with_a_lost_answer_is_granted_again(ledger: DynamoDbSentEmails) -> None:
    assert ledger.claim(claim("mine")) is None
    assert ledger.claim(claim("mine")) is None  # boto3 retries
    assert ledger.claim(claim("other")) == Entry("sending", NOW)


def test_only_its_holder_releases_a_claim(ledger: DynamoDbSentEmails) -> None:
    ledger.claim(claim("mine"))

    ledger.release(claim("other"))
    assert ledger.find("mail") == Entry("sending", NOW)

    ledger.release(claim("mine"))
    ledger.release(claim("mine"))  # boto3 retries
    assert ledger.find("mail") is None


def test_a_sent_mail_cannot_be_released(ledger: DynamoDbSentEmails) -> None:
    ledger.claim(claim("mine"))
    ledger.confirm(claim("mine"), "message-1")

    ledger.release(claim("mine"))

    assert ledger.find("mail") == Entry("sent", NOW, "message-1")
