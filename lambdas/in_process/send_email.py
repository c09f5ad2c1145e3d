"""Sends a mail with Django's mail backend, in place of ``send_email``, without a queue."""

import email.policy
import time
from copy import copy
from pathlib import Path
from smtplib import SMTPConnectError, SMTPException, SMTPRecipientsRefused, SMTPSenderRefused
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, mailers

from lambdas.send_email import handler
from lambdas.send_email.mime import Mail
from lambdas.send_email.sending import send_once
from lambdas.send_email.ses import AnswerLost
from lambdas.shared.runtime.settings import read_text
from lambdas.shared.runtime.step import step
from lambdas.shared.storage.objects import object_store
from lambdas.shared.storage.sent_emails import DiskSentEmails
from workflows.contracts.notification_email import SendEmailInput, SentEmail
from workflows.errors import EmailRefused, EmailServiceUnavailable


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Send a rendered mail once, by SES if SENT_EMAILS_TABLE is set, else by Django.

    With the table there is a single ledger, so that a task that runs both here and from the queue sends one mail.
    """
    return (handler.lambda_handler if read_text("SENT_EMAILS_TABLE") else _send_by_django)(event, context)


@step(SendEmailInput)
def _send_by_django(given: SendEmailInput) -> SentEmail:
    return send_once(
        given.email,
        given.task_id,
        objects=object_store(),
        ledger=DiskSentEmails(Path(settings.MEDIA_ROOT).parent / "sent_emails"),
        mailer=DjangoMailer(),
        clock=time.time,
    )


class ComposedEmail(EmailMultiAlternatives):
    """A composed mail, which backends send unchanged and may inspect."""

    def __init__(self, mail: Mail) -> None:
        super().__init__(
            subject=mail.message["Subject"], body=_text(mail, "plain"), from_email=mail.sender, to=[mail.to]
        )
        self.attach_alternative(_text(mail, "html"), "text/html")
        self._composed = mail.message

    def message(self, *, policy: Any = None) -> Any:
        """Return the MIME message, with the line ends of ``policy``."""
        message = copy(self._composed)
        message.policy = policy or email.policy.default
        return message


class DjangoMailer:
    """Django's default mailer."""

    def send(self, mail: Mail, task_id: str) -> str:  # noqa: ARG002  the Mailer protocol
        """Send a mail, and return its Message-ID."""
        message = ComposedEmail(mail)
        connection = mailers["default"]
        try:
            connection.open()
        except OSError as error:  # includes smtplib's errors; nothing was sent yet
            raise EmailServiceUnavailable("mail", f"was not reached ({type(error).__name__}).", "Try again.") from error
        try:
            connection.send_messages([message])
        except (SMTPRecipientsRefused, SMTPSenderRefused) as error:
            raise EmailRefused("mail", f"was refused ({type(error).__name__}).", "Correct the address.") from None
        except SMTPConnectError as error:
            raise EmailServiceUnavailable("mail", "was not reached.", "Try again.") from error
        except (SMTPException, OSError) as error:
            raise AnswerLost(type(error).__name__) from error
        finally:
            connection.close()
        return str(mail.message["Message-ID"])


def _text(mail: Mail, subtype: str) -> str:
    part = mail.message.get_body((subtype,))
    return "" if part is None else str(part.get_content())
