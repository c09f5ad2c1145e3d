"""SES of the local stack: saves each mail as an ``.eml`` file, pictures included.

ministack's SES saves only the texts of a mail.
"""

import base64
import hashlib
import json
import re
import threading
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SEND_EMAIL_PATH = "/v2/email/outbound-emails"


def message_id_of(send_once_key: str) -> str:
    """Return the Message-ID for a send-once key and a sender at example.com."""
    return f"<{hashlib.sha256(send_once_key.encode()).hexdigest()[:32]}@example.com>"


class Mailbox(ThreadingHTTPServer):
    """An SES endpoint on 127.0.0.1 that saves raw mails in a folder."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Ses)
        self.folder, self._lock, self._count = folder, threading.Lock(), 0
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.eml"):
            old.unlink()
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, name="mailbox", daemon=True).start()

    def messages(self) -> list[EmailMessage]:
        """Return the mails so far, oldest first."""
        return [message_from_bytes(path.read_bytes(), policy=default) for path in sorted(self.folder.glob("*.eml"))]

    def sent_under(self, send_once_key: str) -> EmailMessage | None:
        """Return the mail with a send-once key, or None."""
        message_id = message_id_of(send_once_key)
        return next((mail for mail in self.messages() if mail["Message-ID"] == message_id), None)

    def stop(self) -> None:
        """Accept no more mails. The folder keeps the saved ones."""
        self.shutdown()
        self.server_close()

    def keep(self, request: dict[str, Any]) -> str:
        """Save the mail of a SendEmail request and return its name."""
        to = "-".join(request["Destination"]["ToAddresses"])
        with self._lock:
            self._count += 1
            name = f"{self._count:03d}-{re.sub(r'[^A-Za-z0-9.@_-]', '_', to)[:80]}"
            draft = self.folder / f"{name}.draft"
            draft.write_bytes(base64.b64decode(request["Content"]["Raw"]["Data"]))
            draft.rename(self.folder / f"{name}.eml")
        return name


class _Ses(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Mailbox

    def do_POST(self) -> None:
        """Save the mail of SendEmail; answer 404 to every other operation."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        knows = self.path.rstrip("/") == SEND_EMAIL_PATH
        answer = {"MessageId": self.server.keep(json.loads(body))} if knows else {"message": "Unknown operation."}
        content = json.dumps(answer).encode()
        self.send_response(200 if knows else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        """Log nothing."""
