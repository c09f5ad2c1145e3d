"""Sends one mail where Django runs workflows by itself: in place of ``send_email``, through Django's mail backend."""

import time
from pathlib import Path
from typing import Any

from django.conf import settings

from lambdas.in_process.django_mailer import DjangoMailer
from lambdas.send_email import handler
from lambdas.send_email.sending import send_once
from lambdas.shared.runtime.settings import read_text
from lambdas.shared.runtime.step import step
from lambdas.shared.storage.objects import object_store
from lambdas.shared.storage.sent_emails_on_disk import DiskSentEmails
from workflows.contracts.notification_email import SendEmailInput, SentEmail


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Send a rendered mail once: as the function does where its table is named, else by Django.

    With the table there is one ledger, whoever runs the step, so that a task which was run here for
    want of a queue, and by the queue after all, sends one mail.
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
