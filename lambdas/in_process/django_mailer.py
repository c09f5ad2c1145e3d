"""Hands mails to Django's mail backend, for the process that runs workflows by itself."""

import email.policy
from copy import copy
from smtplib import SMTPConnectError, SMTPException, SMTPRecipientsRefused, SMTPSenderRefused
from typing import Any

from django.core.mail import EmailMultiAlternatives, mailers

from lambdas.send_email.mime import Mail
from lambdas.send_email.ses import AnswerLost
from workflows.errors import EmailRefused, EmailServiceUnavailable


class ComposedEmail(EmailMultiAlternatives):
    """A mail that is composed already: backends send it as it is, and may read its parts."""

    def __init__(self, mail: Mail) -> None:
        super().__init__(
            subject=mail.message["Subject"], body=_text(mail, "plain"), from_email=mail.sender, to=[mail.to]
        )
        self.attach_alternative(_text(mail, "html"), "text/html")
        self._composed = mail.message

    def message(self, *, policy: Any = None) -> Any:
        """Return the MIME message; ``policy`` is the backend's wish for line ends."""
        message = copy(self._composed)
        message.policy = policy or email.policy.default
        return message


class DjangoMailer:
    """Django's mail backend, as MAILERS has it."""

    def send(self, mail: Mail, task_id: str) -> str:  # noqa: ARG002  part of the mailer's contract
        """Send a mail, and return the id in its own header."""
        message = ComposedEmail(mail)
        connection = mailers["default"]
        try:
            connection.open()
        except OSError as error:  # smtplib's errors are among them: nothing was sent yet
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
