"""The notification_email workflow, and the two steps that other workflows share with it.

Render Email -> Send Email. The rendered mail is stored in S3 and passed as its key, so that a history contains
neither the mail nor a person's address.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from qu_workflows.protocol.contract import Contract, TaskId
from workflows import errors
from workflows.contracts.daily_report_digest import Digest
from workflows.contracts.guard_report import DatabaseId, Recipient
from workflows.contracts.tasks import WorkflowTask

TRANSIENT_ERRORS = (errors.DatabaseUnavailable, errors.EmailServiceUnavailable, errors.StorageUnavailable)
FATAL_ERRORS = (errors.EmailRefused, errors.PayloadInvalid, errors.RecipientNotFound, errors.TemplateInvalid)

Subject = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\r\n]+$")]
# Only below emails/, so that a payload cannot read another template of the project.
TemplateName = Annotated[str, StringConstraints(pattern=r"^emails/[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*\.html$")]


class NotificationEmailInput(Contract):
    """The payload of the ``send_notification_email`` task, and the execution's input."""

    user_id: DatabaseId
    subject: Subject
    template_name: TemplateName
    context: dict[str, Any] = {}


TASK = WorkflowTask("send_notification_email", "notification_email", NotificationEmailInput)


class RenderEmailInput(Contract):
    """Input of "Render Email": a report, an incident, a digest or a payload.

    ``report_id`` and ``recipient`` for a report, ``inquiry_id`` and ``recipient`` for an incident, ``digest`` for a
    client's digest. ``payload`` is a ``NotificationEmailInput``, or ``{"payload_key": …}`` if it was too large to
    be sent inline.
    """

    task_id: TaskId
    report_id: DatabaseId | None = None
    recipient: Recipient | None = None
    inquiry_id: DatabaseId | None = None
    digest: Digest | None = None
    payload: dict[str, Any] | None = None


class RenderedEmail(Contract):
    """Output of "Render Email".

    ``email_key`` is the S3 key of an ``EmailDocument``. ``send_once_key`` is an idempotency key: across retries,
    redrives and restarts, one mail is sent per key.
    """

    email_key: str
    send_once_key: str


class InlineImage(Contract):
    """A picture shown in the mail's body: ``cid:<content_id>``."""

    content_id: str
    key: str
    media_type: str
    alt: str


class EmailDocument(Contract):
    """A rendered mail as stored in S3, without the content of its images."""

    sender: str
    to: str
    subject: str
    text: str
    html: str
    images: list[InlineImage] = []


class SendEmailInput(Contract):
    """Input of "Send Email"."""

    task_id: TaskId
    email: RenderedEmail


class SentEmail(Contract):
    """Output of "Send Email".

    ``already_sent``: an earlier attempt sent it. ``unconfirmed``: an earlier attempt ended between the request to SES
    and its response. It is not sent again, since a duplicate is worse than a lost mail.
    """

    status: Literal["sent", "already_sent", "unconfirmed"]
    message_id: Annotated[str | None, Field(description="SES MessageId, once known")] = None
