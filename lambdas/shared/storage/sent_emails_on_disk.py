"""The ledger of mails sent, as files in a folder: for one machine without DynamoDB.

The same promises as ``DynamoDbSentEmails``, under the same contract suite. What makes a claim the only
one is ``os.link``: it puts a whole file in place, or fails where there is one.
"""

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from lambdas.shared.storage.sent_emails import Claim, Entry
from workflows.errors import StorageUnavailable


class DiskSentEmails:
    """The ledger as one JSON file for each mail, named by the digest of its ``send_once_key``."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def find(self, send_once_key: str) -> Entry | None:
        """Return the entry of a mail."""
        item = self._read(send_once_key)
        return _entry(item) if item else None

    def claim(self, claim: Claim) -> Entry | None:
        """Put the claim's file in place unless the mail has one."""
        item = {
            "send_once_key": claim.send_once_key,
            "status": "sending",
            "task_id": claim.task_id,
            "token": claim.token,
            "claimed_at": claim.at,
        }
        while not self._put(item, replace=False):
            standing = self._read(claim.send_once_key)
            if standing:  # else it was released in between
                return None if standing["token"] == claim.token else _entry(standing)
        return None

    def confirm(self, claim: Claim, message_id: str) -> None:
        """Turn the claim into the record of a mail that was sent."""
        item = self._read(claim.send_once_key)
        if item is None or item["token"] != claim.token:
            raise StorageUnavailable(claim.send_once_key, "its claim is another's now.", "Look at the ledger.")
        self._put(item | {"status": "sent", "message_id": message_id}, replace=True)

    def release(self, claim: Claim) -> None:
        """Delete the claim, unless the mail has become somebody else's."""
        item = self._read(claim.send_once_key)
        if item and item["token"] == claim.token and item["status"] == "sending":
            self._path(claim.send_once_key).unlink(missing_ok=True)

    def _read(self, send_once_key: str) -> dict[str, Any] | None:
        try:
            item: dict[str, Any] = json.loads(self._path(send_once_key).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unavailable(send_once_key, error) from error
        return item

    def _put(self, item: dict[str, Any], *, replace: bool) -> bool:
        """Put an entry's file in place; return False when there is one that must not be replaced."""
        path = self._path(item["send_once_key"])
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            handle, draft = tempfile.mkstemp(dir=self._root, prefix=".writing-")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(item, file)
                    file.flush()
                    os.fsync(file.fileno())
                if replace:
                    Path(draft).replace(path)
                else:
                    path.hardlink_to(draft)
            finally:
                Path(draft).unlink(missing_ok=True)
        except FileExistsError:
            return False
        except OSError as error:
            raise _unavailable(item["send_once_key"], error) from error
        return True

    def _path(self, send_once_key: str) -> Path:
        return self._root / f"{hashlib.sha256(send_once_key.encode()).hexdigest()}.json"


def _entry(item: dict[str, Any]) -> Entry:
    return Entry("sent" if item["status"] == "sent" else "sending", item["claimed_at"], item.get("message_id"))


def _unavailable(send_once_key: str, error: OSError) -> StorageUnavailable:
    return StorageUnavailable(send_once_key, f"the ledger's folder does not serve: {error.strerror}.", "Try again.")
