"""Renders and stores a mail, for the "Render Email" state of the workflows."""

from pydantic import ValidationError

from lambdas.shared.runtime.database import database_step
from lambdas.shared.runtime.needs import StepNeeds
from lambdas.shared.runtime.step import problems_of
from lambdas.shared.storage.objects import ObjectStore, object_store
from lambdas.shared.storage.payloads import resolve_payload
from workflows.contracts.notification_email import (
    EmailDocument,
    NotificationEmailInput,
    RenderedEmail,
    RenderEmailInput,
)
from workflows.errors import PayloadInvalid

NEEDS = StepNeeds(database=True, reads=("payloads",), writes=("emails",))


@database_step(RenderEmailInput)
def lambda_handler(event: RenderEmailInput) -> RenderedEmail:
    """Return the key of the rendered mail, and its permanent ``send_once_key``.

    Safe to retry: a retry renders the mail again under the same key. Raises RecipientNotFound, ReportNotFound,
    TemplateInvalid and PayloadInvalid, and as transient errors DatabaseUnavailable and StorageUnavailable.
    """
    return render(event, object_store())


def render(event: RenderEmailInput, objects: ObjectStore) -> RenderedEmail:
    """Render and store the mail of a report, an incident, a digest or a notification."""
    send_once_key, document = _rendered(event, objects)
    email_key = f"emails/{send_once_key}/{event.task_id}.json"
    objects.write(email_key, document.model_dump_json().encode(), "application/json")
    return RenderedEmail(email_key=email_key, send_once_key=send_once_key)


def _rendered(event: RenderEmailInput, objects: ObjectStore) -> tuple[str, EmailDocument]:
    """Return the ``send_once_key`` and the mail."""
    from common.emails import notification_email
    from incidents.emails import incident_email
    from reports.emails import report_email

    if event.inquiry_id is not None:
        return f"incident/{event.inquiry_id}", incident_email(event.inquiry_id)
    if event.digest is not None:
        from digests.services import digest_email

        return f"digest/{event.digest.client_id}/{event.digest.date}", digest_email(event.digest)
    if event.report_id is not None and event.recipient is not None:
        key = f"guard_report/{event.report_id}/{event.recipient.user_id}"
        return key, report_email(event.report_id, event.recipient)
    return f"notification_email/{event.task_id}", notification_email(_notification(event, objects))


def _notification(event: RenderEmailInput, objects: ObjectStore) -> NotificationEmailInput:
    given = event.payload or {}
    key = given.get("payload_key") if given.keys() == {"payload_key"} else None
    payload = resolve_payload(None if key else event.payload, key, event.task_id, objects)
    try:
        return NotificationEmailInput.model_validate(payload)
    except ValidationError as error:
        problem = f"does not fit send_notification_email: {problems_of(error)}."
        raise PayloadInvalid("payload", problem, "Give user_id, subject, template_name.") from None
