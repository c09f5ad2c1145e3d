"""Stands before the AWS stand-in's SES and keeps each mail that it takes as an ``.eml`` file, pictures included.

ministack's own mailbox keeps a mail's texts alone.
"""

import base64
import hashlib
import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SEND_EMAIL_PATH = "/v2/email/outbound-emails"
_PASSED_ON = ("Authorization", "Content-Type", "X-Amz-Date", "X-Amz-Security-Token", "User-Agent")


def message_id_of(send_once_key: str) -> str:
    """Return the Message-ID of the mail that goes out once under a key, from a sender at example.com."""
    return f"<{hashlib.sha256(send_once_key.encode()).hexdigest()[:32]}@example.com>"


class Mailbox:
    """An SES endpoint on 127.0.0.1 that passes every call on, and a folder with the mails that were taken."""

    def __init__(self, folder: Path, upstream: str) -> None:
        self.folder, self._lock, self._count = folder, threading.Lock(), 0
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.eml"):
            old.unlink()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_PassOn, upstream, self._keep))
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, name="mailbox", daemon=True).start()

    def messages(self) -> dict[Path, EmailMessage]:
        """Return the mails taken so far, the oldest first, by their files."""
        return {path: _parse(path.read_bytes()) for path in sorted(self.folder.glob("*.eml"))}

    def sent_under(self, send_once_key: str) -> EmailMessage | None:
        """Return the mail that went out under a key, or None if none has."""
        message_id = message_id_of(send_once_key)
        return next((mail for mail in self.messages().values() if mail["Message-ID"] == message_id), None)

    def stop(self) -> None:
        """Take no more mails. Those that were taken stay in the folder."""
        self._server.shutdown()
        self._server.server_close()

    def _keep(self, request: dict[str, Any]) -> None:
        raw = request.get("Content", {}).get("Raw", {}).get("Data")
        if raw is None:
            return
        to = "-".join(request.get("Destination", {}).get("ToAddresses", []))
        with self._lock:
            self._count += 1
            name = f"{self._count:03d}-{re.sub(r'[^A-Za-z0-9.@_-]', '_', to)[:80]}"
            draft = self.folder / f"{name}.draft"
            draft.write_bytes(base64.b64decode(raw))
            draft.rename(self.folder / f"{name}.eml")


class _PassOn(BaseHTTPRequestHandler):
    """Passes a call on to the AWS stand-in and gives its answer back."""

    protocol_version = "HTTP/1.1"

    def __init__(self, upstream: str, taken: Callable[[dict[str, Any]], None], *connection: Any) -> None:
        self._upstream, self._taken = upstream, taken
        super().__init__(*connection)  # which answers the whole connection

    def do_POST(self) -> None:
        """Pass a call on; tell of a mail once it is taken, and before its sender hears of it."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
        request = urllib.request.Request(  # noqa: S310  our own http://127.0.0.1
            self._upstream + self.path, data=body, headers=headers, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  our own http://127.0.0.1
                status, media_type, content = answer.status, answer.headers.get("Content-Type", ""), answer.read()
        except urllib.error.HTTPError as error:
            status, media_type, content = error.code, error.headers.get("Content-Type", ""), error.read()
        if status == 200 and self.path.rstrip("/") == SEND_EMAIL_PATH:
            self._taken(json.loads(body))
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        """Say nothing: ministack's log has every call."""


def _parse(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=default)
    if not isinstance(message, EmailMessage):  # what the default policy makes
        raise TypeError(type(message))
    return message
