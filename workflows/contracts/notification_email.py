"""Mail: the notification_email workflow, and the two steps that guard_report shares with it.

Render Email -> Send Email. The rendered mail lies in S3 and travels as its key, so neither its
size nor a person's address enters an execution's history.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from qu_workflows.protocol.contract import Contract, TaskId
from workflows.contracts.daily_report_digest import Digest
from workflows.contracts.guard_report import DatabaseId, Recipient
from workflows.errors import (
    DatabaseUnavailable,
    EmailRefused,
    EmailServiceUnavailable,
    PayloadInvalid,
    RecipientNotFound,
    StepError,
    StorageUnavailable,
    TemplateInvalid,
)

TRANSIENT_ERRORS: tuple[type[StepError], ...] = (DatabaseUnavailable, EmailServiceUnavailable, StorageUnavailable)
FATAL_ERRORS: tuple[type[StepError], ...] = (EmailRefused, PayloadInvalid, RecipientNotFound, TemplateInvalid)

Subject = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\r\n]+$")]
# Only below emails/, no step up, so that a payload cannot read another template of the project.
TemplateName = Annotated[str, StringConstraints(pattern=r"^emails/[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*\.html$")]


class NotificationEmailInput(Contract):
    """The payload of the ``send_notification_email`` task, and the execution's input."""

    user_id: DatabaseId
    subject: Subject
    template_name: TemplateName
    context: dict[str, Any] = {}


class RenderEmailInput(Contract):
    """What "Render Email" is given: a report or an incident to notify a recipient of, a digest, or a payload.

    A report comes as ``report_id`` with ``recipient``; an incident as ``inquiry_id`` with ``recipient``; a client's
    digest as ``digest``. ``payload`` is the execution's input as it came: a ``NotificationEmailInput``, or
    ``{"payload_key": …}`` where it was too large to travel inline.
    """

    task_id: TaskId
    report_id: DatabaseId | None = None
    recipient: Recipient | None = None
    inquiry_id: DatabaseId | None = None
    digest: Digest | None = None
    payload: dict[str, Any] | None = None


class RenderedEmail(Contract):
    """What "Render Email" answers.

    ``email_key`` is the S3 key of the rendered mail (an ``EmailDocument``). ``send_once_key``
    names the mail for ever: whatever is retried, redriven or started again, one mail goes out per key.
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
    """A rendered mail as it lies in S3, without its pictures' bytes."""

    sender: str
    to: str
    subject: str
    text: str
    html: str
    images: list[InlineImage] = []


class SendEmailInput(Contract):
    """What "Send Email" is given."""

    task_id: TaskId
    email: RenderedEmail


class SentEmail(Contract):
    """What "Send Email" answers.

    ``already_sent``: an earlier attempt had sent it. ``unconfirmed``: an earlier attempt ended
    between asking SES and hearing its answer; it is not sent again, since a second mail is the worse harm.
    """

    status: Literal["sent", "already_sent", "unconfirmed"]
    message_id: Annotated[str | None, Field(description="SES MessageId, once known")] = None
