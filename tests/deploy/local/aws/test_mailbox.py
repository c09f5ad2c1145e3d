"""The mailbox before SES: it keeps what SES took, and nothing else."""

import base64
import json
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from deploy.local.aws.mailbox import Mailbox


class Ses(BaseHTTPRequestHandler):
    """Takes every mail but those to nobody."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        refused = request["Destination"]["ToAddresses"] == ["nobody@example.com"]
        body = json.dumps({"message": "not verified"} if refused else {"MessageId": "id-1"}).encode()
        self.send_response(400 if refused else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("x-amzn-errortype", "MessageRejected")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002  the base class's name


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    ses = ThreadingHTTPServer(("127.0.0.1", 0), Ses)
    threading.Thread(target=ses.serve_forever, daemon=True).start()
    mailbox = Mailbox(tmp_path / "mails", f"http://127.0.0.1:{ses.server_port}")
    yield mailbox
    mailbox.stop()
    ses.shutdown()
    ses.server_close()


def send(mailbox: Mailbox, to: str, subject: str) -> str:
    mail = EmailMessage()
    mail["To"], mail["Subject"] = to, subject
    mail.set_content("Text")
    mail.add_alternative("<img src='cid:one'>", subtype="html")
    mail.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<one>")  # type: ignore[union-attr,index]  # the HTML part
    client = boto3.client("sesv2", endpoint_url=mailbox.endpoint)
    return client.send_email(
        FromEmailAddress="noreply@example.com",
        Destination={"ToAddresses": [to]},
        Content={"Raw": {"Data": mail.as_bytes()}},
    )["MessageId"]


def test_a_mail_that_ses_takes_is_kept_whole(mailbox: Mailbox) -> None:
    assert send(mailbox, "client-1@example.com", "Reporte de guardia: ¡hola!") == "id-1"

    [(path, mail)] = mailbox.messages().items()

    assert path.name == "001-client-1@example.com.eml"
    assert str(mail["Subject"]) == "Reporte de guardia: ¡hola!"
    assert [part.get_content() for part in mail.walk() if part["Content-ID"]] == [b"\x89PNG"]


def test_a_mail_that_ses_refuses_is_not_kept_and_its_sender_hears_why(mailbox: Mailbox) -> None:
    with pytest.raises(ClientError, match="not verified"):
        send(mailbox, "nobody@example.com", "Hello")

    assert mailbox.messages() == {}


def test_mails_keep_their_order_and_a_name_can_not_leave_the_folder(mailbox: Mailbox) -> None:
    for to in ("one@example.com", "../../two@example.com"):
        send(mailbox, to, to)

    assert [path.name for path in mailbox.messages()] == ["001-one@example.com.eml", "002-.._.._two@example.com.eml"]


def test_a_new_mailbox_is_empty(mailbox: Mailbox) -> None:
    send(mailbox, "one@example.com", "Hello")

    again = Mailbox(mailbox.folder, "http://127.0.0.1:1")
    again.stop()

    assert again.messages() == {}


def test_base64_of_a_request_is_the_mail_itself(mailbox: Mailbox) -> None:
    raw = base64.b64encode(b"Subject: A\r\n\r\nB").decode()
    mailbox._keep({"Destination": {"ToAddresses": ["a@example.com"]}, "Content": {"Raw": {"Data": raw}}})

    [mail] = mailbox.messages().values()

    assert (str(mail["Subject"]), mail.get_content()) == ("A", "B")
