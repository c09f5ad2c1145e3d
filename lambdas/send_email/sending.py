"""Sends a rendered mail once; see ``shared.storage.sent_emails``."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from pydantic import ValidationError

from lambdas.send_email.mime import Mail, compose
from lambdas.send_email.ses import AnswerLost, Mailer
from lambdas.shared.runtime.powertools import count, logger
from lambdas.shared.storage.objects import ObjectStore
from lambdas.shared.storage.sent_emails import CLAIM_SECONDS, Claim, Entry, SentEmails
from workflows.contracts.notification_email import EmailDocument, InlineImage, RenderedEmail, SentEmail
from workflows.errors import EmailRefused, EmailServiceUnavailable, FileMissing, PayloadInvalid


def send_once(
    email: RenderedEmail,
    task_id: str,
    *,
    objects: ObjectStore,
    ledger: SentEmails,
    mailer: Mailer,
    clock: Callable[[], float],
) -> SentEmail:
    """Send a mail unless it was or may have been sent; ``clock`` returns UNIX time.

    Safe to retry, to redrive and to run concurrently. Raises EmailRefused and PayloadInvalid, and as transient errors
    EmailServiceUnavailable and StorageUnavailable.
    """
    existing = ledger.find(email.send_once_key)
    if existing:
        return _answer_for(existing, clock())
    # Everything that can fail before sending comes before the claim.
    mail = _read_mail(email, objects, datetime.fromtimestamp(clock(), UTC))
    claim = Claim(email.send_once_key, task_id, uuid4().hex, clock())
    existing = ledger.claim(claim)
    if existing:
        return _answer_for(existing, clock())
    return _send(mail, claim, ledger, mailer)


def _send(mail: Mail, claim: Claim, ledger: SentEmails, mailer: Mailer) -> SentEmail:
    try:
        message_id = mailer.send(mail, claim.task_id)
    except AnswerLost as error:
        return _unconfirmed(f"the answer was lost ({error})")
    except Exception as error:
        if isinstance(error, EmailRefused):
            count("EmailsRefused")
        try:
            ledger.release(claim)
        except Exception:  # noqa: BLE001  SES's error matters more; the next attempt will report unconfirmed
            logger.exception("email not sent, but its claim stays")
        raise
    count("EmailsSent")
    try:
        ledger.confirm(claim, message_id)
    except Exception:  # noqa: BLE001  the mail was sent: after a failure, the next attempt would report unconfirmed
        logger.exception("email sent, but not recorded as sent")
    return SentEmail(status="sent", message_id=message_id)


def _answer_for(existing: Entry, now: float) -> SentEmail:
    if existing.status == "sent":
        return SentEmail(status="already_sent", message_id=existing.message_id)
    if now - existing.claimed_at < CLAIM_SECONDS:
        raise EmailServiceUnavailable("email", "another attempt is sending it now.", "Try again later.")
    return _unconfirmed("the outcome of an earlier attempt is unknown")


def _unconfirmed(reason: str) -> SentEmail:
    count("EmailsUnconfirmed")
    logger.warning("email unconfirmed: it may have been sent, and is not sent again", reason=reason)
    return SentEmail(status="unconfirmed")


def _read_mail(email: RenderedEmail, objects: ObjectStore, now: datetime) -> Mail:
    try:
        document = EmailDocument.model_validate_json(objects.read(email.email_key))
    except FileMissing:
        raise EmailRefused(email.email_key, "the rendered mail is gone.", "Start the task again.") from None
    except ValidationError:
        raise PayloadInvalid(email.email_key, "is not a rendered mail.", "Render the mail again.") from None
    return compose(document, _pictures(document.images, objects), email.send_once_key, now)


def _pictures(images: list[InlineImage], objects: ObjectStore) -> list[tuple[InlineImage, bytes]]:
    """Return the existing pictures: a mail without one is better than none."""
    pictures = []
    for image in images:
        try:
            pictures.append((image, objects.read(image.key)))
        except FileMissing:
            logger.warning("picture of an email is gone", key=image.key)
    return pictures
