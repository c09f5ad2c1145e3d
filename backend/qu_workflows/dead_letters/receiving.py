"""Receives the messages of a queue without losing one or hiding one from others for long.

A message that is received is invisible to others until its visibility timeout ends, or until it is given back. Here
the timeout is at first HOLD_SECONDS, later twice the time since the first receive, and at most MAX_HOLD_SECONDS. A
message that comes back meanwhile is received again, so a process that dies hides nothing for much longer than it ran.
What SQS itself leaves open stays so: a standard queue may deliver a message twice, and a FIFO queue shows of each
message group only what comes before the first message that is held.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import batched
from threading import Event
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from qu_workflows.aws import clients as aws
from qu_workflows.aws.queues import MAX_BATCH_MESSAGES, queue_depth, sqs_refusals
from qu_workflows.dead_letters.judging import Message

HOLD_SECONDS = 20
MAX_HOLD_SECONDS = 20 * 2**6
# From here on, an empty answer may mean that SQS lets no process hold more: about 120,000 on a standard queue.
MANY = 100_000
# Long polling asks all of SQS's servers, so that an empty answer means an empty queue.
WAIT_SECONDS = 1
# Receives in a row that bring only known messages, beyond those that bring each held one back, before giving up.
MAX_FRUITLESS_RECEIVES = 100


class HeldMessages:
    """Messages received from one queue. Each is handed out once, however often SQS delivers it."""

    def __init__(self, queue_url: str, now: Callable[[], float] = time.monotonic) -> None:
        self._queue_url, self._now, self._begun_at = queue_url, now, now()
        self._receipts: dict[str, str] = {}
        self._expire_at: dict[str, float] = {}
        self._deleted: set[str] = set()
        self._known: set[str] = set()
        self.is_cut_short = False

    def receive(
        self, most: int = MAX_BATCH_MESSAGES, patience_seconds: float = 0, stop: Event | None = None
    ) -> list[Message]:
        """Return up to ten messages that were not handed out before; none when SQS gives no others.

        ``patience_seconds`` is how long to wait for messages that another process holds, unless ``stop`` is set.
        None does not mean that there are none: a long poll does not report that SQS lets no process hold more
        (120,000 on a standard queue). ``is_cut_short`` is set where it is known.
        """
        give_up_at = self._now() + patience_seconds
        for _ in range(MAX_FRUITLESS_RECEIVES + len(self._receipts)):
            received = self._receive(min(most, MAX_BATCH_MESSAGES))
            new = [message for message in received if self._is_new(message)]
            if new:
                return new
            if received:
                continue
            if self._now() >= give_up_at or (stop is not None and stop.is_set()) or self.held_by_others() == 0:
                return []
        self.is_cut_short = True
        return []

    def delete(self, message_ids: Iterable[str]) -> dict[str, str]:
        """Delete messages of those held; return why each was not deleted that is still there. Raises no AWS error."""
        message_ids = list(message_ids)
        try:
            refused = self._call(aws.sqs().delete_message_batch, message_ids)
        except (ClientError, BotoCoreError) as error:
            return dict.fromkeys(message_ids, f"{type(error).__name__}: {error}")
        for message_id in set(message_ids) - set(refused):
            del self._receipts[message_id]
            self._deleted.add(message_id)
        return refused

    def give_back(self) -> None:
        """Make every message that is held visible again. What is not reached becomes so when its timeout ends."""
        with suppress(BotoCoreError, ClientError):
            self._call(aws.sqs().change_message_visibility_batch, self._unexpired(), VisibilityTimeout=0)
        self._receipts.clear()

    def ignore(self, message_ids: Iterable[str]) -> None:
        """Hand out no message of these ids: copies that were moved just now, and came back."""
        self._known.update(message_ids)

    def kept_back(self) -> int:
        """Return about how many messages are there that SQS gives no process, once it has given no more.

        On a FIFO queue those of a group of which one is held; on any other those beyond what may be held. Not
        known to be none elsewhere: SQS is up to a minute late to count what was received.
        """
        is_limited = self._queue_url.endswith(".fifo") or len(self._receipts) >= MANY or self.is_cut_short
        return queue_depth(self._queue_url).visible if is_limited else 0

    def held_by_others(self) -> int:
        """Return about how many messages of the queue other processes hold."""
        return max(0, queue_depth(self._queue_url).in_flight - len(self._unexpired()))

    def _unexpired(self) -> list[str]:
        return [message_id for message_id in self._receipts if self._expire_at[message_id] > self._now()]

    def _receive(self, most: int) -> list[Message]:
        seconds = max(HOLD_SECONDS, min(2 * int(self._now() - self._begun_at), MAX_HOLD_SECONDS))
        try:
            answer = aws.sqs().receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=most,
                VisibilityTimeout=seconds,
                WaitTimeSeconds=WAIT_SECONDS,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        except ClientError as error:
            if "OverLimit" not in str(error.response.get("Error", {}).get("Code", "")):
                raise
            self.is_cut_short = True
            return []
        received = answer.get("Messages", [])
        self._expire_at |= dict.fromkeys((message["MessageId"] for message in received), self._now() + seconds)
        return received

    def _is_new(self, message: Message) -> bool:
        message_id = message["MessageId"]
        self._receipts[message_id] = message["ReceiptHandle"]
        if message_id in self._deleted:  # a standard queue may bring one back that was deleted
            self.delete([message_id])
        if message_id in self._known:
            return False
        self._known.add(message_id)
        return True

    def _call(self, action: Callable[..., Any], message_ids: Iterable[str], **fields: int) -> dict[str, str]:
        """Call a batch action for messages that are held; return why SQS refused each that it did."""
        refused: dict[str, str] = {}
        for some in batched(message_ids, MAX_BATCH_MESSAGES):
            entries = [{"Id": each, "ReceiptHandle": self._receipts[each], **fields} for each in some]
            refused |= refusals(action(QueueUrl=self._queue_url, Entries=entries))
        return refused


def refusals(answer: Mapping[str, Any]) -> dict[str, str]:
    """Return why SQS refused each entry of a batch that it did, by the entry's id."""
    return {failed["Id"]: f"{failed['Code']}: {failed.get('Message', '')}" for failed in answer.get("Failed", [])}


@contextmanager
def holding(queue_url: str) -> Iterator[HeldMessages]:
    """Receive from a queue, and give back at the end, however it comes, what was not deleted.

    Raises OperationRefused or OperationFailed for what SQS refuses.
    """
    held = HeldMessages(queue_url)
    with sqs_refusals():
        try:
            yield held
        finally:
            held.give_back()
