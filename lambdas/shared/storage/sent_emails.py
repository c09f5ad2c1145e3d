"""The ledger of mails sent, in DynamoDB: what makes that a mail goes out once, whatever is retried.

One entry for each ``send_once_key``, kept for a year. An attempt claims the key by a conditional put
(status ``sending``, with a token of its own) right before it asks SES. The claim ends in one of three ways:

- SES took the mail: the entry becomes ``sent``, with the message id. No one sends it again.
- SES surely did not take it (refused, throttled, not reached): the attempt removes its own claim,
  and the next attempt may claim it again.
- It is unknown (the answer was lost, or the attempt died): the entry stays ``sending`` for good. No one
  sends it again, since a second mail is the worse harm; it is reported as ``unconfirmed``.

Two attempts at once: a state may time out and be retried while its first attempt still waits for SES.
The put is conditional, so only one of them holds the claim and only that one asks SES; only it can
remove the claim, since removing asks for its token. The other must not say ``unconfirmed`` yet: the
first may still be throttled and give the mail back, and then no attempt would send it. So while the claim
is younger than CLAIM_SECONDS the other raises EmailServiceUnavailable, to be tried again. One call of SES
cannot last that long (its client's timeouts, and no retries inside), so a claim older than that belongs to an attempt
that is dead or has lost its answer. Should an attempt nevertheless stall for longer between its claim
and its call, the mail still goes out at most once; then ``unconfirmed`` was said of a mail that went out.
The clocks of two attempts may differ: by far less than the margin in CLAIM_SECONDS.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from lambdas.shared.runtime.aws import aws_client, code_of, storage_errors

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# The longest that one call of SES may take, plus a margin for clocks and for writing the outcome down.
CLAIM_SECONDS = 30
KEPT_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True)
class Claim:
    """The right of one attempt to send one mail. ``token`` is its alone; ``at`` is in seconds since the epoch."""

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
    """The ledger. Everything raises StorageUnavailable when it does not answer."""

    def find(self, send_once_key: str) -> Entry | None:
        """Return the entry of a mail, as of now."""
        ...

    def claim(self, claim: Claim) -> Entry | None:
        """Return None when the claim was granted, else the entry that is in its way."""
        ...

    def confirm(self, claim: Claim, message_id: str) -> None:
        """Write down that the mail was sent under this claim."""
        ...

    def release(self, claim: Claim) -> None:
        """Remove the claim, if it is still this one. Only for a mail that was surely not sent."""
        ...


class DynamoDbSentEmails(SentEmails):
    """The ledger as a table with the partition key ``send_once_key`` and the TTL attribute ``expires_at``."""

    def __init__(self, table: str, client: "DynamoDBClient | None" = None) -> None:
        self._table, self._given_client = table, client

    def find(self, send_once_key: str) -> Entry | None:
        """Return the entry of a mail, by a consistent read."""
        with storage_errors(send_once_key, "DynamoDB"):
            answer = self._client.get_item(TableName=self._table, Key=_key(send_once_key), ConsistentRead=True)
        item = answer.get("Item")
        return _entry(item) if item else None

    def claim(self, claim: Claim) -> Entry | None:
        """Put the claim unless the mail has an entry."""
        from botocore.exceptions import ClientError

        try:
            with storage_errors(claim.send_once_key, "DynamoDB"):
                self._client.put_item(
                    TableName=self._table,
                    Item=_item(claim),
                    ConditionExpression="attribute_not_exists(send_once_key)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            standing = cast("dict[str, Any]", error.response.get("Item", {}))
            # Ours after all: the first answer was lost, and boto3 asked again.
            return None if _text(standing, "token") == claim.token else _entry(standing)
        return None

    def confirm(self, claim: Claim, message_id: str) -> None:
        """Turn the claim into the record of a mail that was sent."""
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
        """Delete the claim, unless the mail has become somebody else's."""
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
            if code_of(error) != "ConditionalCheckFailedException":  # already gone: boto3 asked twice
                raise

    @property
    def _client(self) -> "DynamoDBClient":
        client: DynamoDBClient = self._given_client or aws_client(
            "dynamodb", attempts=4, connect_seconds=2, read_seconds=5
        )
        return client


def _key(send_once_key: str) -> dict[str, Any]:
    return {"send_once_key": {"S": send_once_key}}


def _item(claim: Claim) -> dict[str, Any]:
    return {
        **_key(claim.send_once_key),
        "status": {"S": "sending"},
        "task_id": {"S": claim.task_id},
        "token": {"S": claim.token},
        "claimed_at": {"N": f"{claim.at:.3f}"},
        "expires_at": {"N": str(int(claim.at) + KEPT_SECONDS)},
    }


def _entry(item: dict[str, Any]) -> Entry:
    status: Literal["sending", "sent"] = "sent" if _text(item, "status") == "sent" else "sending"
    claimed_at = item.get("claimed_at", {}).get("N", "0")
    return Entry(status, float(claimed_at), _text(item, "message_id"))


def _text(item: dict[str, Any], name: str) -> str | None:
    value: str | None = item.get(name, {}).get("S")
    return value
