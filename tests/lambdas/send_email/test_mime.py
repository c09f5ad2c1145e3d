"""The message composed from a rendered mail."""

import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambdas.send_email.mime import Mail, compose, one_line
from tests.lambdas.pictures import corners, encoded
from workflows.contracts.notification_email import EmailDocument, InlineImage
from workflows.errors import EmailRefused, PayloadInvalid, StepError

NOW = datetime(2026, 11, 24, 23, 15, tzinfo=UTC)
KEY = "guard_report/1/2"
PICTURE = encoded(corners(), "JPEG")
IMAGE = InlineImage(content_id="picture-1", key="thumbnails/x/email.jpg", media_type="image/jpeg", alt="Front door")


def document(**changed: Any) -> EmailDocument:
    fields = {
        "sender": "QU Security <noreply@example.com>",
        "to": "guard-1@example.com",
        "subject": "Report of the night",
        "text": "All quiet.",
        "html": "<p>All quiet.</p>",
    }
    return EmailDocument.model_validate(fields | changed)


def composed(pictures: list[tuple[InlineImage, bytes]] | None = None, **changed: Any) -> Mail:
    return compose(document(**changed), pictures or [], KEY, NOW)


def parsed(mail: Mail) -> EmailMessage:
    message = BytesParser(policy=email.policy.default).parsebytes(mail.raw)
    assert isinstance(message, EmailMessage)
    return message


def test_text_and_html_are_alternatives() -> None:
    message = parsed(composed(text="Café à 23:15", html="<p>Café</p>"))

    assert message.get_content_type() == "multipart/alternative"
    text, html = message.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content().strip() == "Café à 23:15"
    assert html.get_content().strip() == "<p>Café</p>"


def test_pictures_are_inline_in_the_html() -> None:
    message = parsed(composed([(IMAGE, PICTURE)], html='<img src="cid:picture-1" alt="Front door">'))

    _, related = message.iter_parts()
    assert related.get_content_type() == "multipart/related"
    html, picture = related.iter_parts()
    assert html.get_content_type() == "text/html"
    assert (picture.get_content_type(), picture["Content-ID"]) == ("image/jpeg", "<picture-1>")
    assert (picture.get_content_disposition(), picture.get_filename()) == ("inline", "picture-1.jpg")
    assert picture.get_content() == PICTURE


def test_headers_have_addresses_subject_and_date() -> None:
    mail = composed(subject="Informe: puerta principal ✓", sender="Señal QU <noreply@example.com>")

    message = parsed(mail)
    assert message["Subject"] == "Informe: puerta principal ✓"
    assert message["From"].addresses[0].display_name == "Señal QU"
    assert message["Date"].datetime == NOW
    assert (mail.sender, mail.to) == ("noreply@example.com", "guard-1@example.com")
    assert sorted(key.lower() for key in message) == [
        "content-type",
        "date",
        "from",
        "message-id",
        "mime-version",
        "subject",
        "to",
    ]


def test_all_attempts_have_one_message_id() -> None:
    first, again = parsed(composed()), parsed(composed(text="other"))
    other = parsed(compose(document(), [], "guard_report/1/3", NOW))

    assert first["Message-ID"] == again["Message-ID"] != other["Message-ID"]
    assert first["Message-ID"].endswith("@example.com>")


def test_an_international_domain_is_encoded_in_ascii() -> None:
    assert composed(to="guard-1@bücher.example").to == "guard-1@xn--bcher-kva.example"


@pytest.mark.parametrize(
    "to",
    [
        "",
        "guard",
        "@example.com",
        "a@",
        "a@b@example.com",
        "a@example.com, b@example.com",
        "a@example.com\r\nBcc: b@example.com",
        "a@example.com\nb@example.com",
        "señal@example.com",
        "a b@example.com",
        "a..b@example.com",
        "a@-example.com",
        "a@example..com",
        "a@example.com.",
        "x" * 65 + "@example.com",
        "a@" + "b" * 64 + ".com",
        "a@" + ".".join(["b" * 60] * 5),
    ],
)
def test_an_invalid_address_is_refused_without_being_logged(to: str) -> None:
    with pytest.raises(EmailRefused) as caught:
        composed(to=to)

    assert "example.com" not in str(caught.value)


def test_an_invalid_sender_is_an_error_of_the_deployment() -> None:
    with pytest.raises(PayloadInvalid, match="DEFAULT_FROM_EMAIL"):
        composed(sender="guard")


@pytest.mark.parametrize(
    "changed",
    [
        {"content_id": "a>\r\nBcc: b@example.com"},
        {"content_id": ""},
        {"media_type": "text/html"},
        {"media_type": "image/jpeg\r\nX: y"},
    ],
)
def test_an_invalid_picture_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(PayloadInvalid):
        composed([(IMAGE.model_copy(update=changed), PICTURE)])


TEXT = st.text(st.characters(codec=None), max_size=60)
HOSTILE = st.one_of(
    TEXT, st.sampled_from(["\r\nBcc: evil@example.org", "a\nX-Evil: 1", "=?utf-8?q?=0ABcc:_x?=", "\u2028", "\x85"])
)
JOINED = st.lists(HOSTILE, max_size=3).map("".join)


@example("", "a", "=?utf-8?q?=0ABcc:_evil@example.org?=", "", "")
@example("", "a", "", "\udc00", "\ud800")
@given(JOINED, JOINED, JOINED, JOINED, JOINED)
def test_no_value_becomes_a_header_or_a_recipient(name: str, to: str, subject: str, text: str, html: str) -> None:
    try:
        mail = composed(
            sender=f"{name} <noreply@example.com>", to=f"{to}@example.com", subject=subject, text=text, html=html
        )
    except StepError:
        return

    mail.raw.decode("ascii")
    head = mail.raw.split(b"\r\n\r\n", 1)[0]
    assert all(line[:1] in b" \t" or line.split(b":")[0] in HEADERS for line in head.split(b"\r\n"))
    assert max(map(len, mail.raw.split(b"\r\n"))) <= 998  # RFC 5322, 2.1.1
    message = parsed(mail)
    assert [address.addr_spec for address in message["To"].addresses] == [mail.to]
    assert [address.addr_spec for address in message["From"].addresses] == ["noreply@example.com"]
    assert " ".join(message["Subject"].split()) == one_line(subject)


HEADERS = {b"From", b"To", b"Subject", b"Date", b"Message-ID", b"MIME-Version", b"Content-Type"}
