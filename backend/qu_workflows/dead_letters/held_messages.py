"""Receives the messages of a queue without losing one or keeping one from others for long.

A message that is received is invisible to others until its visibility timeout ends. Here it is a short one,
renewed for as long as it is wanted, and given back at the end. Each renewal doubles it, up to MAX_HOLD_SECONDS:
were it the same each time, those who hold thousands would do nothing but renew. So a process that dies hides
nothing for much longer than it held it already. What SQS itself leaves open stays so: a standard queue may
deliver a message twice, and a FIFO queue shows of each message group only what comes before the first message
that somebody holds.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import batched
from threading import Event
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from qu_workflows.aws import clients as aws
from qu_workflows.aws.queues import queue_depth, sqs_refusals
from qu_workflows.tasks.sending import MAX_BATCH_MESSAGES

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

type Message = "MessageTypeDef"

HOLD_SECONDS = 20
MAX_HOLD_SECONDS = 20 * 2**6
# From here on, an empty answer may mean that SQS lets nobody hold more: about 120,000 on a standard queue.
MANY = 100_000
# Long polling asks all of SQS's servers, so that an empty answer means an empty queue.
WAIT_SECONDS = 1
# Receives in a row that bring only what is known already, after which nothing new is expected.
MAX_FRUITLESS_RECEIVES = 100


@dataclass
class _Held:
    receipt_handle: str
    expires_at: float
    seconds: int = HOLD_SECONDS


class HeldMessages:
    """What was received from one queue. Each message is handed out once, however often SQS delivers it."""

    def __init__(self, queue_url: str, now: Callable[[], float] = time.monotonic) -> None:
        self._queue_url, self._now = queue_url, now
        self._held: dict[str, _Held] = {}
        self._deleted: set[str] = set()
        self._known: set[str] = set()
        self.is_cut_short = False

    def receive(
        self, most: int = MAX_BATCH_MESSAGES, patience_seconds: float = 0, stop: Event | None = None
    ) -> list[Message]:
        """Return up to ten messages that were not handed out before; none when SQS gives no others.

        ``patience_seconds`` is how long to wait for messages that somebody else holds, unless ``stop`` is set.
        None does not mean that there are none: who polls long is not told that SQS lets nobody hold more
        (120,000 on a standard queue). ``is_cut_short`` is set where it is known.
        """
        give_up_at = self._now() + patience_seconds
        for _ in range(MAX_FRUITLESS_RECEIVES):
            self._renew()
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
        """Delete messages of those held; return what SQS said of each that it did not delete."""
        refused: dict[str, str] = {}
        for some in batched(message_ids, MAX_BATCH_MESSAGES):
            ids = dict(enumerate(some))
            entries = [
                {"Id": str(number), "ReceiptHandle": self._held[message_id].receipt_handle}
                for number, message_id in ids.items()
            ]
            answer = aws.sqs().delete_message_batch(QueueUrl=self._queue_url, Entries=entries)  # type: ignore[arg-type]
            refused |= {
                ids[int(failed["Id"])]: f"{failed['Code']}: {failed.get('Message', '')}"
                for failed in answer.get("Failed", [])
            }
            for message_id in some:
                if message_id not in refused:
                    del self._held[message_id]
                    self._deleted.add(message_id)
        return refused

    def give_back(self) -> None:
        """Make every message that is held visible again. What is not reached becomes so when its time-out ends."""
        try:
            self._change_visibility(dict.fromkeys(self._held, 0))
        except (BotoCoreError, ClientError):
            return
        finally:
            self._held.clear()

    def forget_copies(self, message_ids: Iterable[str]) -> None:
        """Hand out no message of these ids: copies that were moved just now, and came back."""
        self._known.update(message_ids)

    def kept_back(self) -> int:
        """Return about how many messages are there that SQS gives nobody, once it has given no more.

        On a FIFO queue those of a group of which one is held; on any other those beyond what may be held. Not
        known to be none elsewhere: SQS is up to a minute late to count what was received.
        """
        is_limited = self._queue_url.endswith(".fifo") or len(self._held) >= MANY or self.is_cut_short
        return queue_depth(self._queue_url).visible if is_limited else 0

    def held_by_others(self) -> int:
        """Return about how many messages of the queue somebody else holds."""
        return max(0, queue_depth(self._queue_url).in_flight - len(self._held))

    def _receive(self, most: int) -> list[Message]:
        try:
            answer = aws.sqs().receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=most,
                VisibilityTimeout=HOLD_SECONDS,
                WaitTimeSeconds=WAIT_SECONDS,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        except ClientError as error:
            if "OverLimit" not in str(error.response.get("Error", {}).get("Code", "")):
                raise
            self.is_cut_short = True
            return []
        return answer.get("Messages", [])

    def _is_new(self, message: Message) -> bool:
        message_id = message["MessageId"]
        self._held[message_id] = _Held(message["ReceiptHandle"], self._now() + HOLD_SECONDS)
        if message_id in self._deleted:  # a standard queue may bring one back that was deleted
            self.delete([message_id])
        if message_id in self._known:
            return False
        self._known.add(message_id)
        return True

    def _renew(self) -> None:
        now = self._now()
        self._change_visibility(
            {
                message_id: min(held.seconds * 2, MAX_HOLD_SECONDS)
                for message_id, held in self._held.items()
                if held.expires_at <= now + held.seconds / 2
            }
        )

    def _change_visibility(self, seconds: Mapping[str, int]) -> None:
        for some in batched(seconds.items(), MAX_BATCH_MESSAGES):
            entries = [
                {
                    "Id": str(number),
                    "ReceiptHandle": self._held[message_id].receipt_handle,
                    "VisibilityTimeout": length,
                }
                for number, (message_id, length) in enumerate(some)
            ]
            answer = aws.sqs().change_message_visibility_batch(QueueUrl=self._queue_url, Entries=entries)  # type: ignore[arg-type]
            lost = {failed["Id"] for failed in answer.get("Failed", [])}  # theirs who received or deleted it since
            for number, (message_id, length) in enumerate(some):
                if str(number) in lost:
                    del self._held[message_id]
                else:
                    held = self._held[message_id]
                    held.expires_at, held.seconds = self._now() + length, length


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
