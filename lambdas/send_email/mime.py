"""Composes a MIME message: text and HTML alternatives, with inline pictures.

Values cannot inject headers: line breaks in subject and names become spaces, and anything but a single plain address is
refused.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses

from workflows.contracts.notification_email import EmailDocument, InlineImage
from workflows.errors import EmailRefused, PayloadInvalid

# ASCII only: SES requires it, and no relay can break it.
_POLICY = SMTP.clone(cte_type="7bit")
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
_CONTENT_ID = re.compile(r"[A-Za-z0-9._-]{1,100}(@[A-Za-z0-9.-]{1,100})?")
_IMAGE_TYPE = re.compile(r"image/([a-z0-9.+-]{1,50})")


@dataclass(frozen=True)
class Mail:
    """A message and the two plain addresses of its envelope."""

    sender: str
    to: str
    message: EmailMessage

    @property
    def raw(self) -> bytes:
        """The message as bytes."""
        return self.message.as_bytes()


def compose(
    document: EmailDocument, pictures: Sequence[tuple[InlineImage, bytes]], send_once_key: str, now: datetime
) -> Mail:
    """Return the message of a rendered mail.

    Raises EmailRefused for an invalid recipient, PayloadInvalid for other invalid content. Errors are stored and
    displayed, so they contain neither address nor subject.
    """
    sender = _address(document.sender)
    if sender is None:
        raise PayloadInvalid("sender", "is not a plain email address.", "Set DEFAULT_FROM_EMAIL to one.")
    to = _address(document.to)
    if to is None:
        raise EmailRefused("recipient", "the address is not a plain email address.", "Correct it in the back office.")
    message = EmailMessage(policy=_POLICY)
    message["From"], message["To"] = sender, to
    message["Subject"] = one_line(document.subject)
    message["Date"] = format_datetime(now)
    # Equal for all attempts, so that mail programs discard duplicates.
    message["Message-ID"] = f"<{hashlib.sha256(send_once_key.encode()).hexdigest()[:32]}@{sender.domain}>"
    message.set_content(_whole(document.text), charset="utf-8", cte="quoted-printable")
    message.add_alternative(_whole(document.html), subtype="html", charset="utf-8", cte="quoted-printable")
    _add_pictures(message, pictures)
    return Mail(sender.addr_spec, to.addr_spec, message)


def one_line(text: str) -> str:
    """Return text without line breaks, control characters, repeated spaces and ``=?``.

    RFC 2047's ``=?`` would make mail programs and Python's headers decode the text.
    """
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.replace("=?", "= ?").split())


def _add_pictures(message: EmailMessage, pictures: Sequence[tuple[InlineImage, bytes]]) -> None:
    _, html = message.iter_parts()
    if not isinstance(html, EmailMessage):  # what add_alternative made it
        raise TypeError(type(html))
    for image, data in pictures:
        media_type = _IMAGE_TYPE.fullmatch(image.media_type)
        if not media_type or not _CONTENT_ID.fullmatch(image.content_id):
            raise PayloadInvalid("images", "have an invalid content_id or media_type.", "Render the mail again.")
        html.add_related(
            data,
            maintype="image",
            subtype=media_type[1],
            cid=f"<{image.content_id}>",
            disposition="inline",
            filename=f"{image.content_id}.{media_type[1].replace('jpeg', 'jpg')}",
        )


def _address(text: str) -> Address | None:
    """Return a single address, with an ASCII domain, else None."""
    found = getaddresses([text])
    if len(found) != 1 or "\r" in text or "\n" in text:
        return None
    [(name, plain)] = found
    local_part, at, domain = plain.rpartition("@")
    try:
        domain = domain.encode("idna").decode()
    except UnicodeError:
        return None
    if not at or not _LOCAL_PART.fullmatch(local_part) or not _DOMAIN.fullmatch(domain):
        return None
    if len(local_part) > 64 or len(domain) > 253:  # RFC 5321, 4.5.3.1
        return None
    return Address(one_line(name), local_part, domain)


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # JSON may have lone surrogates, a mail may not
