"""Ledger of sent mails, so that each mail is sent once, whatever is retried.

One entry for each ``send_once_key``. An attempt claims the key (status ``sending``, with its own token) right before it
calls SES. The claim ends in one of three ways:

- SES accepted the mail: the entry becomes ``sent``, with the message id. It is never sent again.
- SES certainly did not accept it (refused, throttled, not reached): the attempt removes its own claim, and the next
  attempt may claim the key again.
- Unknown (the answer was lost, or the attempt died): the entry stays ``sending``. The mail is never sent again, since
  sending it twice is worse; it is reported as ``unconfirmed``.

Two attempts can run at once: a state may time out and be retried while its first attempt still waits for SES. A claim
is conditional, so only one attempt holds it and calls SES, and removing it requires its token. The other attempt must
not report ``unconfirmed`` yet, since the first may still be throttled and release the claim. So while the claim is
younger than CLAIM_SECONDS, the other raises EmailServiceUnavailable and is retried. A call of SES cannot take that long
(its timeouts, and no retries), so an older claim belongs to an attempt that died or lost its answer. If an attempt
stalls longer between claim and call, the mail is still sent at most once, but reported as ``unconfirmed``. Clocks of
two attempts differ by far less than the margin in CLAIM_SECONDS.
"""

import hashlib
import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from lambdas.shared.runtime.aws import aws_client, code_of, storage_errors
from lambdas.shared.storage.objects import write_atomically
from workflows.errors import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Longer than one call of SES may take, plus a margin for clocks and for recording the outcome.
CLAIM_SECONDS = 30
KEPT_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True)
class Claim:
    """The exclusive right of an attempt to send a mail; ``at`` is UNIX time."""

    send_once_key: str
    task_id: str
    token: str
    at: float


@dataclass(frozen=True)
class Entry:
    """Entry of a mail in the ledger."""

    status: Literal["sending", "sent"]
    claimed_at: float
    message_id: str | None = None


class SentEmails(Protocol):
    """The ledger. Every method raises StorageUnavailable if it does not respond."""

    def find(self, send_once_key: str) -> Entry | None:
        """Return the current entry of a mail."""

    def claim(self, claim: Claim) -> Entry | None:
        """Return None if the claim is granted, else the existing entry."""

    def confirm(self, claim: Claim, message_id: str) -> None:
        """Record that the mail was sent under this claim."""

    def release(self, claim: Claim) -> None:
        """Remove the claim if unchanged. Only for a mail that was certainly not sent."""


class DynamoDbSentEmails(SentEmails):
    """A table with the partition key ``send_once_key`` and the TTL attribute ``expires_at``."""

    def __init__(self, table: str, client: "DynamoDBClient | None" = None) -> None:
        self._table = table
        self._client: DynamoDBClient = client or aws_client("dynamodb", attempts=4, connect_seconds=2, read_seconds=5)

    def find(self, send_once_key: str) -> Entry | None:
        """Return the entry of a mail, by a consistent read."""
        with storage_errors(send_once_key, "DynamoDB"):
            answer = self._client.get_item(TableName=self._table, Key=_key(send_once_key), ConsistentRead=True)
        item = answer.get("Item")
        return _entry(item) if item else None

    def claim(self, claim: Claim) -> Entry | None:
        """Put the claim unless the mail has an entry."""
        from botocore.exceptions import ClientError

        item: dict[str, Any] = {
            **_key(claim.send_once_key),
            "status": {"S": "sending"},
            "task_id": {"S": claim.task_id},
            "token": {"S": claim.token},
            "claimed_at": {"N": f"{claim.at:.3f}"},
            "expires_at": {"N": str(int(claim.at) + KEPT_SECONDS)},
        }
        try:
            with storage_errors(claim.send_once_key, "DynamoDB"):
                self._client.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(send_once_key)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            existing = cast("dict[str, Any]", error.response.get("Item", {}))
            # The same token: the first answer was lost, and the SDK retried.
            return None if _text(existing, "token") == claim.token else _entry(existing)
        return None

    def confirm(self, claim: Claim, message_id: str) -> None:
        """Set the status of the claim to sent."""
        with storage_errors(claim.send_once_key, "DynamoDB"):
            self._client.update_item(
                TableName=self._table,
                Key=_key(claim.send_once_key),
                UpdateExpression="SET #status = :sent, message_id = :message_id",
                ConditionExpression="#token = :token",
                ExpressionAttributeNames={"#status": "status", "#token": "token"},
                ExpressionAttributeValues={
                    ":sent": {"S": "sent"},
                    ":message_id": {"S": message_id},
                    ":token": {"S": claim.token},
                },
            )

    def release(self, claim: Claim) -> None:
        """Delete the claim, unless it is another's or the mail was sent."""
        from botocore.exceptions import ClientError

        try:
            with storage_errors(claim.send_once_key, "DynamoDB"):
                self._client.delete_item(
                    TableName=self._table,
                    Key=_key(claim.send_once_key),
                    ConditionExpression="#token = :token AND #status = :sending",
                    ExpressionAttributeNames={"#status": "status", "#token": "token"},
                    ExpressionAttributeValues={":sending": {"S": "sending"}, ":token": {"S": claim.token}},
                )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":  # already deleted: the SDK retried
                raise


@dataclass(frozen=True)
class DiskSentEmails(SentEmails):
    """A folder with a JSON file for each mail, for one machine without DynamoDB.

    A hard link makes a claim exclusive: it creates a complete file, or fails if one exists.
    """

    root: Path

    def find(self, send_once_key: str) -> Entry | None:
        """Return the entry of a mail."""
        item = self._read(send_once_key)
        return Entry(item["status"], item["claimed_at"], item["message_id"]) if item else None

    def claim(self, claim: Claim) -> Entry | None:
        """Create the claim's file unless the mail has one."""
        while not self._put(claim, "sending"):
            existing = self._read(claim.send_once_key)
            if existing:  # else it was released in between
                return None if existing["token"] == claim.token else self.find(claim.send_once_key)
        return None

    def confirm(self, claim: Claim, message_id: str) -> None:
        """Set the status of the claim to sent."""
        if self._status_of(claim) is None:
            raise StorageUnavailable(claim.send_once_key, "another attempt holds the claim now.", "Check the ledger.")
        self._put(claim, "sent", message_id)

    def release(self, claim: Claim) -> None:
        """Delete the claim, unless it is another's or the mail was sent."""
        if self._status_of(claim) == "sending":
            self._path(claim.send_once_key).unlink(missing_ok=True)

    def _status_of(self, claim: Claim) -> str | None:
        item = self._read(claim.send_once_key)
        return item["status"] if item and item["token"] == claim.token else None

    def _read(self, send_once_key: str) -> dict[str, Any] | None:
        with _folder_errors(send_once_key):
            try:
                item: dict[str, Any] = json.loads(self._path(send_once_key).read_text(encoding="utf-8"))
            except FileNotFoundError:
                return None
        return item

    def _put(self, claim: Claim, status: str, message_id: str | None = None) -> bool:
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


def _key(send_once_key: str) -> dict[str, Any]:
    return {"send_once_key": {"S": send_once_key}}


def _entry(item: dict[str, Any]) -> Entry:
    claimed_at = float(item.get("claimed_at", {}).get("N", "0"))
    return Entry("sent" if _text(item, "status") == "sent" else "sending", claimed_at, _text(item, "message_id"))


def _text(item: dict[str, Any], name: str) -> str | None:
    value: str | None = item.get(name, {}).get("S")
    return value


@contextmanager
def _folder_errors(send_once_key: str) -> Generator[None]:
    try:
        yield
    except OSError as error:
        problem = f"the ledger's folder cannot be used: {error.strerror}."
        raise StorageUnavailable(send_once_key, problem, "Try again.") from error
