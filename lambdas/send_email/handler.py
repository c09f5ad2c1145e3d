"""Sends a mail, for the "Send Email" state of guard_report and notification_email."""

import time

from lambdas.send_email.sending import send_once
from lambdas.send_email.ses import SesMailer
from lambdas.shared.runtime.needs import StepNeeds
from lambdas.shared.runtime.settings import read_text, require_text
from lambdas.shared.runtime.step import step
from lambdas.shared.storage.objects import object_store
from lambdas.shared.storage.sent_emails import DynamoDbSentEmails
from workflows.contracts.notification_email import SendEmailInput, SentEmail

NEEDS = StepNeeds(reads=("emails", "thumbnails"), mail=True)


@step(SendEmailInput)
def lambda_handler(given: SendEmailInput) -> SentEmail:
    """Send a rendered mail, unless it was sent or may have been.

    Safe to retry: one mail is sent for each ``send_once_key``. The state machine catches EmailRefused.
    """
    return send_once(
        given.email,
        given.task_id,
        objects=object_store(),
        ledger=DynamoDbSentEmails(require_text("SENT_EMAILS_TABLE", "the name of the DynamoDB table of sent mails")),
        mailer=SesMailer(read_text("SES_CONFIGURATION_SET")),
        clock=time.time,
    )
