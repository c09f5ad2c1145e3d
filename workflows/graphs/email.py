"""The two steps of a mail, which guard_report and notification_email share: Render Email -> Send Email."""

from collections.abc import Mapping, Sequence
from typing import Any

from workflows.contracts.notification_email import RenderedEmail, SentEmail
from workflows.graphs.asl import LambdaTask, Retrier


def render_email(payload: Mapping[str, str], retry: Sequence[Retrier], **fields: Any) -> LambdaTask:
    """Return the Task that writes a mail to S3; its result is the mail's keys."""
    return LambdaTask("Render Email", payload=payload, answer=RenderedEmail, retry=retry, **fields)


def send_email(email_path: str, retry: Sequence[Retrier], **fields: Any) -> LambdaTask:
    """Return the Task that sends the mail whose keys lie at ``email_path``, once for ever."""
    return LambdaTask("Send Email", payload={"email.$": email_path}, answer=SentEmail, retry=retry, **fields)
