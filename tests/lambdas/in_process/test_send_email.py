"""Mails with Django's mail backend: refusals, outages and lost answers."""

import smtplib
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from pytest_django import Settings

from lambdas.in_process.send_email import ComposedEmail, DjangoMailer
from lambdas.send_email.mime import Mail, compose
from lambdas.send_email.ses import AnswerLost
from workflows.contracts.notification_email import EmailDocument
from workflows.errors import EmailRefused, EmailServiceUnavailable


class FailingBackend(BaseEmailBackend):
    """Raises the given errors on open or send."""

    raises_on_open: Exception | None = None
    raises_on_send: Exception | None = None

    def open(self) -> None:
        if self.raises_on_open is not None:
            raise self.raises_on_open

    def send_messages(self, email_messages: Any) -> int:
        if self.raises_on_send is not None:
            raise self.raises_on_send
        return len(email_messages)


@pytest.fixture
def composed() -> Mail:
    document = EmailDocument.model_validate(
        {
            "sender": "QU Security <noreply@example.com>",
            "to": "guard-1@example.com",
            "subject": "Informe ✓",
            "text": "Todo tranquilo.",
            "html": "<p>Todo tranquilo.</p>",
        }
    )
    return compose(document, [], "key", datetime(2026, 11, 24, tzinfo=UTC))


@pytest.fixture
def backend(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> type[FailingBackend]:
    settings.MAILERS = {"default": {"BACKEND": f"{__name__}.FailingBackend"}}
    monkeypatch.setattr("lambdas.in_process.send_email.mailers", {"default": FailingBackend()})
    monkeypatch.setattr(FailingBackend, "raises_on_open", None)
    monkeypatch.setattr(FailingBackend, "raises_on_send", None)
    return FailingBackend


def test_the_composed_message_is_sent_and_its_id_returned(composed: Mail) -> None:
    message_id = DjangoMailer().send(composed, "task")

    [sent] = mail.outbox
    assert (sent.to, sent.from_email, sent.subject) == (["guard-1@example.com"], "noreply@example.com", "Informe ✓")
    assert sent.body.strip() == "Todo tranquilo."
    assert message_from_bytes(composed.raw)["Message-ID"] == message_id
    assert sent.message()["Message-ID"] == message_id


def test_a_backend_gets_the_requested_line_ends(composed: Mail) -> None:
    raw = ComposedEmail(composed).message(policy=policy.SMTP).as_bytes()

    assert raw.count(b"\n") == raw.count(b"\r\n") > 0
    assert b"Todo tranquilo." in raw


def test_mails_can_be_stored_as_files(composed: Mail, settings: Settings, tmp_path: Path) -> None:
    backend = "django.core.mail.backends.filebased.EmailBackend"
    settings.MAILERS = {"default": {"BACKEND": backend, "OPTIONS": {"file_path": str(tmp_path)}}}

    DjangoMailer().send(composed, "task")

    [file] = tmp_path.iterdir()
    assert "Todo tranquilo." in file.read_text()


@pytest.mark.parametrize("error", [ConnectionRefusedError(), smtplib.SMTPServerDisconnected("gone")])
def test_a_server_that_is_not_reached_is_transient(
    composed: Mail, backend: type[FailingBackend], error: Exception
) -> None:
    backend.raises_on_open = error

    with pytest.raises(EmailServiceUnavailable, match="was not reached"):
        DjangoMailer().send(composed, "task")


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (smtplib.SMTPRecipientsRefused({"guard-1@example.com": (550, b"unknown")}), EmailRefused),
        (smtplib.SMTPSenderRefused(550, b"no", "noreply@example.com"), EmailRefused),
        (smtplib.SMTPServerDisconnected("gone"), AnswerLost),
        (TimeoutError(), AnswerLost),
    ],
)
def test_errors_while_sending_say_whether_the_mail_was_sent(
    composed: Mail, backend: type[FailingBackend], error: Exception, meaning: type[Exception]
) -> None:
    backend.raises_on_send = error

    with pytest.raises(meaning) as raised:
        DjangoMailer().send(composed, "task")

    assert "guard-1" not in str(raised.value)
