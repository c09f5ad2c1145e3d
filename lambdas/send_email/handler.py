"""Sends one mail, for the "Send Email" state of guard_report and notification_email."""

import time

from lambdas.send_email.sending import send_once
from lambdas.send_email.ses import SesMailer
from lambdas.shared.runtime.settings import read_text, require_text
from lambdas.shared.runtime.step import step
from lambdas.shared.storage.objects import object_store
from lambdas.shared.storage.sent_emails import DynamoDbSentEmails
from workflows.contracts.notification_email import SendEmailInput, SentEmail


@step(SendEmailInput)
def lambda_handler(given: SendEmailInput) -> SentEmail:
    """Send a rendered mail and return whether it went out now, earlier, or possibly.

    Safe to retry: one mail goes out for each ``send_once_key``. EmailRefused goes through to the
    state machine's catcher.
    """
    return send_once(
        given.email,
        given.task_id,
        objects=object_store(),
        ledger=DynamoDbSentEmails(require_text("SENT_EMAILS_TABLE", "the name of the DynamoDB table of mails sent")),
        mailer=SesMailer(read_text("SES_CONFIGURATION_SET")),
        clock=time.time,
    )
