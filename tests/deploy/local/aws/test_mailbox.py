"""The SES of the local stack keeps what it took."""

from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from deploy.local.aws.mailbox import Mailbox, message_id_of


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    mailbox = Mailbox(tmp_path / "mails")
    yield mailbox
    mailbox.stop()


def send(mailbox: Mailbox, to: str, subject: str, key: str = "") -> str:
    mail = EmailMessage()
    mail["To"], mail["Subject"], mail["Message-ID"] = to, subject, message_id_of(key)
    mail.set_content("Text")
    mail.add_alternative("<img src='cid:one'>", subtype="html")
    mail.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<one>")  # type: ignore[union-attr,index]  # the HTML part
    client = boto3.client("sesv2", endpoint_url=mailbox.endpoint)
    return client.send_email(
        FromEmailAddress="noreply@example.com",
        Destination={"ToAddresses": [to]},
        Content={"Raw": {"Data": mail.as_bytes()}},
    )["MessageId"]


def test_a_mail_is_kept_whole_and_found_by_its_key(mailbox: Mailbox) -> None:
    assert send(mailbox, "client-1@example.com", "Reporte de guardia: ¡hola!", "report/1") == "001-client-1@example.com"

    [mail] = mailbox.messages()

    assert str(mail["Subject"]) == "Reporte de guardia: ¡hola!"
    assert [part.get_content() for part in mail.walk() if part["Content-ID"]] == [b"\x89PNG"]
    assert mailbox.sent_under("report/1") is not None
    assert mailbox.sent_under("report/2") is None


def test_mails_keep_their_order_and_a_name_can_not_leave_the_folder(mailbox: Mailbox) -> None:
    for to in ("one@example.com", "../../two@example.com"):
        send(mailbox, to, to)

    names = sorted(path.name for path in mailbox.folder.iterdir())
    assert names == ["001-one@example.com.eml", "002-.._.._two@example.com.eml"]


def test_a_new_mailbox_is_empty(mailbox: Mailbox) -> None:
    send(mailbox, "one@example.com", "Hello")

    again = Mailbox(mailbox.folder)
    again.stop()

    assert again.messages() == []


def test_what_is_no_mail_is_refused(mailbox: Mailbox) -> None:
    client = boto3.client("sesv2", endpoint_url=mailbox.endpoint)

    with pytest.raises(ClientError, match="Unknown operation"):
        client.create_email_identity(EmailIdentity="noreply@example.com")
