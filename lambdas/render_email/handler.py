"""Renders a mail and puts it in the bucket, for the "Render Email" state of the workflows with mail."""

from pydantic import ValidationError

from lambdas.shared.runtime.database import database_errors, setup_django
from lambdas.shared.runtime.step import step
from lambdas.shared.storage.objects import ObjectStore, object_store
from lambdas.shared.storage.payloads import resolve_payload
from workflows.contracts.daily_report_digest import Digest
from workflows.contracts.guard_report import Recipient
from workflows.contracts.notification_email import (
    EmailDocument,
    NotificationEmailInput,
    RenderedEmail,
    RenderEmailInput,
)
from workflows.errors import PayloadInvalid

setup_django()


@step(RenderEmailInput)
def lambda_handler(event: RenderEmailInput) -> RenderedEmail:
    """Return the key of the rendered mail, and the key under which it is sent once for ever.

    Safe to retry: a second attempt renders the mail anew under the same key. Raises RecipientNotFound,
    ReportNotFound, TemplateInvalid and PayloadInvalid; DatabaseUnavailable and StorageUnavailable when
    trying again helps.
    """
    return render(event, object_store())


def render(event: RenderEmailInput, objects: ObjectStore) -> RenderedEmail:
    """Render the mail of a report, an incident, a digest or a notification into an object store."""
    if event.inquiry_id is not None:
        send_once_key = f"incident/{event.inquiry_id}"
        document = _incident_email(event.inquiry_id)
    elif event.digest is not None:
        send_once_key = f"digest/{event.digest.client_id}/{event.digest.date}"
        document = _digest_email(event.digest)
    elif event.report_id is not None and event.recipient is not None:
        send_once_key = f"guard_report/{event.report_id}/{event.recipient.user_id}"
        document = _report_email(event.report_id, event.recipient)
    else:
        send_once_key = f"notification_email/{event.task_id}"
        document = _notification_email(_notification(event, objects))
    email_key = f"emails/{send_once_key}/{event.task_id}.json"
    objects.write(email_key, document.model_dump_json().encode(), "application/json")
    return RenderedEmail(email_key=email_key, send_once_key=send_once_key)


def _report_email(report_id: int, recipient: Recipient) -> EmailDocument:
    from reports.emails import report_email

    with database_errors():
        return report_email(report_id, recipient)


def _incident_email(inquiry_id: int) -> EmailDocument:
    from reports.incident_emails import incident_email

    with database_errors():
        return incident_email(inquiry_id)


def _digest_email(digest: Digest) -> EmailDocument:
    from reports.digests import digest_email

    with database_errors():
        return digest_email(digest)


def _notification_email(notification: NotificationEmailInput) -> EmailDocument:
    from common.emails import notification_email

    with database_errors():
        return notification_email(notification)


def _notification(event: RenderEmailInput, objects: ObjectStore) -> NotificationEmailInput:
    carried = event.payload or {}
    key = carried.get("payload_key") if carried.keys() == {"payload_key"} else None
    payload = resolve_payload(None if key else event.payload, key, event.task_id, objects)
    try:
        return NotificationEmailInput.model_validate(payload)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, item["loc"])) for item in error.errors(include_url=False))
        raise PayloadInvalid(
            "payload", f"does not fit send_notification_email: {fields}.", "Give user_id, subject, template_name."
        ) from None
