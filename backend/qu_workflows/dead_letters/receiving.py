"""Receives and handles dead letters in batches, without losing or hiding any.

A received message is invisible to others until its visibility timeout ends or it is given back. The timeout starts at
HOLD_SECONDS and grows to twice the time since the first receive, at most MAX_HOLD_SECONDS. So a process that dies hides
messages for not much longer than it ran. A message that comes back meanwhile is received again.
A standard queue may deliver a message twice, and a FIFO queue hides the rest of a message group while one is held.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import batched
from threading import Event
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from qu_workflows.aws import clients as aws
from qu_workflows.aws.queues import MAX_BATCH_MESSAGES, queue_depth, sqs_refusals
from qu_workflows.dead_letters.judging import DeadLetter, Message, Selection, judge
from qu_workflows.protocol.refusals import OperationFailed

HOLD_SECONDS = 20
MAX_HOLD_SECONDS = 20 * 2**6
# From here on, an empty answer may mean that the quota of messages in flight is reached: 120,000 on a standard queue.
MANY = 100_000
# Long polling asks all of SQS's servers, so that an empty answer means an empty queue.
WAIT_SECONDS = 1
# Consecutive receives of known messages only, beyond one for each held message, before giving up.
MAX_FRUITLESS_RECEIVES = 100
# Messages that a killed process held stay invisible for a while; wait for them before the queue counts as empty.
PATIENCE_SECONDS = HOLD_SECONDS + 5


class HeldMessages:
    """Messages received from one queue. Each is returned once, however often SQS delivers it."""

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
        """Return up to ten messages that were not returned before, or none.

        Waits ``patience_seconds`` for messages that other processes hold, unless ``stop`` is set. An empty list does
        not prove an empty queue: a long poll does not report that the quota of messages in flight is reached.
        ``is_cut_short`` is set where that is known.
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
        """Delete held messages; return the errors of the others. Raises no AWS error."""
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
        """Make every held message visible again. After an error its timeout does."""
        with suppress(BotoCoreError, ClientError):
            self._call(aws.sqs().change_message_visibility_batch, self._unexpired(), VisibilityTimeout=0)
        self._receipts.clear()

    def ignore(self, message_ids: Iterable[str]) -> None:
        """Return no message of these ids: copies that were moved just now and came back."""
        self._known.update(message_ids)

    def kept_back(self) -> int:
        """Return about how many visible messages SQS does not deliver.

        On a FIFO queue the rest of a group with a held message; on a standard queue those beyond the quota of messages
        in flight. Otherwise 0, because SQS counts received messages up to a minute late.
        """
        is_limited = self._queue_url.endswith(".fifo") or len(self._receipts) >= MANY or self.is_cut_short
        return queue_depth(self._queue_url).visible if is_limited else 0

    def held_by_others(self) -> int:
        """Return about how many messages other processes hold."""
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
        """Call a batch action for held messages; return SQS's error of each refused one."""
        refused: dict[str, str] = {}
        for some in batched(message_ids, MAX_BATCH_MESSAGES):
            entries = [{"Id": each, "ReceiptHandle": self._receipts[each], **fields} for each in some]
            refused |= refusals(action(QueueUrl=self._queue_url, Entries=entries))
        return refused


def refusals(answer: Mapping[str, Any]) -> dict[str, str]:
    """Return the error of each refused entry of a batch, by the entry's id."""
    return {failed["Id"]: f"{failed['Code']}: {failed.get('Message', '')}" for failed in answer.get("Failed", [])}


@contextmanager
def holding(queue_url: str) -> Iterator[HeldMessages]:
    """Receive from a queue, and always give back at the end what was not deleted.

    Raises OperationRefused or OperationFailed for an error of SQS.
    """
    held = HeldMessages(queue_url)
    with sqs_refusals():
        try:
            yield held
        finally:
            held.give_back()


@dataclass
class DeadLetterResult:
    """The progress of a redrive or a purge.

    ``left`` counts the chosen messages that were not moved, by reason. ``failed`` has SQS's error of each message
    that it refused; those stay dead letters. ``in_both`` are in both queues because they could not be deleted.
    ``missing`` counts chosen ids that could no longer be received. ``error`` is why it ended early, ``was_stopped``
    that its caller stopped it.
    """

    count: int = 0
    missing: int = 0
    left: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)
    in_both: dict[str, str] = field(default_factory=dict)
    by_sqs: bool = False
    was_stopped: bool = False
    error: str = ""


type Report = Callable[[DeadLetterResult], None]
type Handle = Callable[[HeldMessages, Sequence[DeadLetter]], None]


@dataclass(frozen=True)
class QueuePass:
    """One redrive or purge; ``report`` gets the growing result, ``stop`` ends it between batches."""

    stop: Event
    report: Report
    result: DeadLetterResult = field(default_factory=DeadLetterResult)


def handle_batches(dlq_url: str, chosen: Selection | set[str], handle: Handle, run: QueuePass) -> None:
    """Receive the whole queue and handle the chosen messages, at most ten at a time.

    A set holds message ids, which are removed as they are handled; receiving ends when it is empty. Raises
    OperationRefused or OperationFailed when nothing was changed.
    """
    result = run.result
    try:
        with holding(dlq_url) as held:
            while chosen and not _is_stopped(run):
                patience_seconds = PATIENCE_SECONDS if isinstance(chosen, Selection) else 0
                letters = judge(held.receive(patience_seconds=patience_seconds, stop=run.stop))
                if not letters:
                    _end(held, chosen, run)
                    return
                handle(held, [letter for letter in letters if _is_chosen(letter, chosen)])
                if isinstance(chosen, set):
                    chosen.difference_update(letter.message_id for letter in letters)
    except OperationFailed as error:
        if not result.count:
            raise
        result.error = str(error)


def _is_chosen(letter: DeadLetter, chosen: Selection | set[str]) -> bool:
    return chosen.has(letter) if isinstance(chosen, Selection) else letter.message_id in chosen


def _is_stopped(run: QueuePass) -> bool:
    run.result.was_stopped = run.stop.is_set()
    return run.result.was_stopped


def _end(held: HeldMessages, chosen: Selection | set[str], run: QueuePass) -> None:
    """Set the error if SQS delivers no more and the queue is not empty."""
    result = run.result
    if _is_stopped(run):
        return
    if isinstance(chosen, set):
        result.missing = len(chosen)
    elif result.left and (count := held.kept_back()):
        result.error = f"about {count:,} more cannot be received before the messages left: fix or purge those first"
    elif count := held.held_by_others():
        result.error = f"about {count:,} more are held by other processes until their visibility timeout ends"
