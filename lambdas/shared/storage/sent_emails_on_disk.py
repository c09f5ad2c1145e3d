"""The ledger of mails sent, as files in a folder: for one machine without DynamoDB.

The same promises as ``DynamoDbSentEmails``, under the same contract suite. What makes a claim the only
one is a hard link: it puts a whole file in place, or fails where there is one.
"""

import hashlib
import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambdas.shared.storage.atomic_files import write_atomically
from lambdas.shared.storage.sent_emails import Claim, Entry, SentEmails
from workflows.errors import StorageUnavailable


@dataclass(frozen=True)
class DiskSentEmails(SentEmails):
    """The ledger as one JSON file for each mail in ``root``, named by the digest of its ``send_once_key``."""

    root: Path

    def find(self, send_once_key: str) -> Entry | None:
        """Return the entry of a mail."""
        item = self._read(send_once_key)
        return _entry(item) if item else None

    def claim(self, claim: Claim) -> Entry | None:
        """Put the claim's file in place unless the mail has one."""
        while not self._put(claim, "sending"):
            standing = self._read(claim.send_once_key)
            if standing:  # else it was released in between
                return None if standing["token"] == claim.token else _entry(standing)
        return None

    def confirm(self, claim: Claim, message_id: str) -> None:
        """Turn the claim into the record of a mail that was sent."""
        if self._status_of(claim) is None:
            raise StorageUnavailable(claim.send_once_key, "its claim is another's now.", "Check the ledger.")
        self._put(claim, "sent", message_id)

    def release(self, claim: Claim) -> None:
        """Delete the claim, unless the mail has become somebody else's, or was sent."""
        if self._status_of(claim) == "sending":
            self._path(claim.send_once_key).unlink(missing_ok=True)

    def _status_of(self, claim: Claim) -> str | None:
        """Return the status of the entry that this claim holds, None where it holds none."""
        item = self._read(claim.send_once_key)
        return item["status"] if item and item["token"] == claim.token else None

    def _read(self, send_once_key: str) -> dict[str, Any] | None:
        path = self._path(send_once_key)
        with _folder_errors(send_once_key):
            try:
                item: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            except FileNotFoundError:
                return None
        return item

    def _put(self, claim: Claim, status: str, message_id: str | None = None) -> bool:
        """Put an entry's file in place; return False for a claim where there is one already."""
        item: dict[str, Any] = {"send_once_key": claim.send_once_key, "status": status, "task_id": claim.task_id}
        item |= {"token": claim.token, "claimed_at": claim.at, "message_id": message_id}
        with _folder_errors(claim.send_once_key):
            try:
                write_atomically(self._path(claim.send_once_key), json.dumps(item).encode(), replace=status == "sent")
            except FileExistsError:
                return False
        return True

    def _path(self, send_once_key: str) -> Path:
        return self.root / f"{hashlib.sha256(send_once_key.encode()).hexdigest()}.json"


def _entry(item: dict[str, Any]) -> Entry:
    return Entry("sent" if item["status"] == "sent" else "sending", item["claimed_at"], item.get("message_id"))


@contextmanager
def _folder_errors(send_once_key: str) -> Generator[None]:
    try:
        yield
    except OSError as error:
        problem = f"the ledger's folder does not serve: {error.strerror}."
        raise StorageUnavailable(send_once_key, problem, "Try again.") from error
