"""Moves dead letters back to the task queue: by SQS itself where it can, else one by one.

One by one, a message is sent to the task queue and then deleted from the dead-letter queue: for a moment it is
in both, and never in none, whenever this process dies. Both copies start one execution, since its name is the
task id: a body without one is given its MessageId as ``id``, which a copy would not keep.

SQS's own move (StartMessageMoveTask) can neither choose nor change a message, and gives it a new MessageId. So
it is used only for a whole queue of messages that can be dispatched and carry their ids: one that lacks its id
and was started already would start a second time.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from qu_workflows.aws import clients as aws
from qu_workflows.aws.pacing import Pace
from qu_workflows.aws.queues import QueuePair, queue_pair
from qu_workflows.dead_letters import message_moves
from qu_workflows.dead_letters.held_messages import HOLD_SECONDS, HeldMessages, holding
from qu_workflows.dead_letters.messages import DeadLetter, Reading, Selection, judged, lacks_id, not_there, read
from qu_workflows.protocol.message import canonical_json
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused
from qu_workflows.records.audit import audited, new_batch
from qu_workflows.records.models import AuditAction
from qu_workflows.tasks.sending import MAX_BATCH_BYTES, MAX_BATCH_MESSAGES

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

type Entry = "SendMessageBatchRequestEntryTypeDef"
type Tell = Callable[["Moved"], None]

MAX_PER_SECOND = 500  # SQS's own bound on its moves
DEFAULT_PER_SECOND = 100  # below what the dispatcher starts: 150 a second, 300 in the largest Regions
_ATTRIBUTE_KEYS = ("DataType", "StringValue", "BinaryValue")


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to move, how fast, and for whom. ``even_rejected``: also what the dispatcher will refuse again."""

    selection: Selection
    actor: str
    per_second: int = DEFAULT_PER_SECOND
    even_rejected: bool = False
    batch: UUID = field(default_factory=new_batch)

    def __post_init__(self) -> None:
        if not 1 <= self.per_second <= MAX_PER_SECOND:
            raise OperationRefused(
                "--per-second", f"is {self.per_second}.", f"Give 1 to {MAX_PER_SECOND}; the dispatcher has to keep up."
            )

    def moves(self, letter: DeadLetter) -> bool:
        """Tell whether a message is to be moved."""
        return self.selection.has(letter) and (self.even_rejected or letter.is_taken)


@dataclass(frozen=True)
class Preview:
    """What an order would do: ``moved`` and ``left`` are those it means, ``by_sqs`` how."""

    pair: QueuePair
    reading: Reading
    moved: Sequence[DeadLetter]
    left: Sequence[DeadLetter]
    by_sqs: bool


@dataclass
class Moved:
    """What was done so far. ``left`` counts, by reason, the meant messages that were not moved.

    ``failed`` has what SQS said of each message that it did not take; those stay dead letters. ``in_both`` are
    in both queues, since they could not be deleted. ``missing`` counts those that were meant by their ids and
    could not be received any more. ``error`` is why it ended early, ``was_stopped`` that somebody wished it.
    """

    count: int = 0
    missing: int = 0
    left: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)
    in_both: dict[str, str] = field(default_factory=dict)
    by_sqs: bool = False
    was_stopped: bool = False
    error: str = ""


def preview(order: Order, stop: Event | None = None) -> Preview:
    """Return what an order would do, and do nothing.

    Raises OperationRefused for an id that is not there or can not be dispatched, or a selection that is empty.
    """
    pair = queue_pair()
    sqs_moves = message_moves.are_known(pair)
    reading = read(stop=stop)
    meant = [letter for letter in reading.letters if order.selection.has(letter)]
    _check_selection(order, reading, meant)
    moved = [letter for letter in meant if order.moves(letter)]
    left = [letter for letter in meant if not order.moves(letter)]
    return Preview(pair, reading, moved, left, sqs_moves and _suits_sqs(order, reading, moved, left))


def redrive(order: Order, stop: Event, tell: Tell) -> Moved:
    """Move dead letters back and return what was done; ``tell`` is given the same as it grows.

    Safe to repeat and to kill: a message is always in at least one of the queues, and starts one execution.
    Ends between two batches once ``stop`` is set. Each batch of ten has an entry in the audit table, a move by
    SQS one for all. Raises OperationRefused when nothing was changed.
    """
    pair = queue_pair()
    sqs_moves, most = message_moves.are_known(pair), None
    if order.selection.ids or (sqs_moves and _means_all(order)):
        seen = preview(order, stop)
        if seen.by_sqs:
            return _move_by_sqs(order, pair, seen, stop, tell)
        most = len(seen.moved) if order.selection.ids else None
    moved = _move_one_by_one(pair, Mover(order, stop, tell), most)
    if most is not None and not moved.was_stopped and not moved.error:
        moved.missing = max(0, most - moved.count - len(moved.failed))
        return moved
    if not (moved.count or moved.left or moved.failed or moved.error or moved.was_stopped or _means_all(order)):
        raise _nothing(order.selection)
    return moved


def body_to_send(letter_id: str, body: str) -> str:
    """Return the body of a message's copy: it asks for the same execution under whatever MessageId it gets."""
    if not lacks_id(body):
        return body
    try:
        return canonical_json({**json.loads(body), "id": letter_id})
    except (ValueError, RecursionError):
        return body  # never dispatched: NaN or half a surrogate pair is no JSON to the dispatcher


def _means_all(order: Order) -> bool:
    return order.selection.is_everything


def _nothing(selection: Selection) -> OperationRefused:
    means = selection.task or ", ".join(selection.ids) or selection.reason or "the queue"
    return OperationRefused(means, "matches no message of the dead-letter queue.", "See manage.py dlq list.")


def _check_selection(order: Order, reading: Reading, meant: Sequence[DeadLetter]) -> None:
    missing = order.selection.missing_from(reading.letters)
    if missing:
        raise not_there(missing, len(reading.letters))
    if not meant and not _means_all(order):
        raise _nothing(order.selection)
    for letter in meant if order.selection.ids else ():
        if not order.moves(letter):
            raise OperationRefused(
                letter.message_id,
                f"can not be dispatched: {letter.why}",
                f"{letter.remedy} Or give --even-rejected: it will come back.",
            )


def _suits_sqs(order: Order, reading: Reading, moved: Sequence[DeadLetter], left: Sequence[DeadLetter]) -> bool:
    return (
        _means_all(order)
        and reading.is_complete
        and bool(moved)
        and not left
        and not any(letter.lacks_id for letter in moved)
    )


def _move_by_sqs(order: Order, pair: QueuePair, seen: Preview, stop: Event, tell: Tell) -> Moved:
    moved = Moved(by_sqs=True)

    def progress(count: int) -> None:
        moved.count = count
        tell(moved)

    details = {"queue": pair.queue_name, "by": "StartMessageMoveTask", "ids": [seen.message_id for seen in seen.moved]}
    with audited(order.actor, AuditAction.REDRIVE_DEAD_LETTERS, pair.dlq_name, order.batch, details) as entry:
        end = message_moves.move_all(pair, order.per_second, stop, progress)
        moved.count, moved.error, moved.was_stopped = end.count, end.failure, end.was_cancelled
        entry.message = end.failure
        entry.details |= {"moved": end.count, "status": end.status}
    return moved


class Mover:
    """What one call moves with, and what it has moved so far."""

    def __init__(self, order: Order, stop: Event, tell: Tell) -> None:
        self.order, self.stop, self.tell = order, stop, tell
        self.pace, self.moved = Pace(order.per_second, stop), Moved()

    def is_done(self, most: int | None) -> bool:
        """Tell whether to receive no more, ``most`` being how many there are to move, if that is known."""
        moved = self.moved
        return bool(moved.error) or moved.was_stopped or (most is not None and moved.count + len(moved.failed) >= most)


def _move_one_by_one(pair: QueuePair, mover: Mover, most: int | None) -> Moved:
    # What a killed mover held is invisible for a while; without it the end would not be the end.
    patience_seconds = HOLD_SECONDS + 5 if most is None else 0
    try:
        with holding(pair.dlq_url) as held:
            while not mover.is_done(most):
                letters = judged(held.receive(patience_seconds=patience_seconds, stop=mover.stop))
                if not letters:
                    break
                _move_some(pair, letters, held, mover)
            mover.moved.was_stopped = mover.stop.is_set()
            if most is None and not mover.is_done(most):
                mover.moved.error = _why_no_more(held, mover.moved)
    except OperationFailed as error:
        if not mover.moved.count:
            raise
        mover.moved.error = str(error)
    return mover.moved


def _why_no_more(held: HeldMessages, moved: Moved) -> str:
    """Return why the end of what SQS gives is not the end of the queue, "" where it is."""
    if moved.left and (kept_back := held.kept_back()):
        return f"about {kept_back:,} more can not be received while those before them stay: mend or purge those"
    if others := held.held_by_others():
        return f"about {others:,} more are received by somebody else, and come back after their visibility timeout"
    return ""


def _move_some(pair: QueuePair, letters: Sequence[DeadLetter], held: HeldMessages, mover: Mover) -> None:
    order, moved = mover.order, mover.moved
    meant = [letter for letter in letters if order.selection.has(letter)]
    moved.left.update(letter.reason for letter in meant if not order.moves(letter))
    entries = [(letter, _entry(pair, letter)) for letter in meant if order.moves(letter)]
    moved.failed |= {
        letter.message_id: _too_large(entry) for letter, entry in entries if _size(entry) > MAX_BATCH_BYTES
    }
    for part in _parts([(letter, entry) for letter, entry in entries if _fits(entry)]):
        if not mover.pace.wait(len(part)):
            break
        _move_part(order, pair, part, held, moved)
        mover.tell(moved)
        if moved.error:
            break
    moved.was_stopped = mover.stop.is_set()


def _move_part(
    order: Order, pair: QueuePair, part: Sequence[tuple[DeadLetter, Entry]], held: HeldMessages, moved: Moved
) -> None:
    ids = [letter.message_id for letter, _ in part]
    details = {"queue": pair.queue_name, "ids": ids, "moved_before": moved.count}
    try:
        with audited(order.actor, AuditAction.REDRIVE_DEAD_LETTERS, pair.dlq_name, order.batch, details) as entry:
            copies, refused = _send(pair, part)
            held.forget_copies(copies.values())
            moved.count += len(copies)
            moved.failed |= refused
            in_both = _delete(held, list(copies))
            moved.in_both |= in_both
            entry.details |= {"copies": copies, "not_moved": refused, "in_both": in_both}
    except (ClientError, BotoCoreError) as error:
        moved.error = f"SQS: {type(error).__name__}: {error}"


def _send(pair: QueuePair, part: Sequence[tuple[DeadLetter, Entry]]) -> tuple[dict[str, str], dict[str, str]]:
    """Send copies; return their MessageIds by those of the dead letters, and what SQS said of those it refused."""
    answer = aws.sqs().send_message_batch(QueueUrl=pair.queue_url, Entries=[entry for _, entry in part])
    ids = {entry["Id"]: letter.message_id for letter, entry in part}
    copies = {ids[sent["Id"]]: sent["MessageId"] for sent in answer.get("Successful", [])}
    refused = {
        ids[failed["Id"]]: f"{failed['Code']}: {failed.get('Message', '')}" for failed in answer.get("Failed", [])
    }
    return copies, refused


def _delete(held: HeldMessages, message_ids: Sequence[str]) -> dict[str, str]:
    if not message_ids:
        return {}
    try:
        return held.delete(message_ids)
    except (ClientError, BotoCoreError) as error:
        return dict.fromkeys(message_ids, f"{type(error).__name__}: {error}")


def _parts(entries: Sequence[tuple[DeadLetter, Entry]]) -> Iterator[list[tuple[DeadLetter, Entry]]]:
    """Yield messages with what to send of each, as many at a time as one call takes."""
    part: list[tuple[DeadLetter, Entry]] = []
    size_bytes = 0
    for letter, entry in entries:
        entry_bytes = _size(entry)
        if part and (len(part) == MAX_BATCH_MESSAGES or size_bytes + entry_bytes > MAX_BATCH_BYTES):
            yield part
            part, size_bytes = [], 0
        entry["Id"] = str(len(part))
        part.append((letter, entry))
        size_bytes += entry_bytes
    if part:
        yield part


def _fits(entry: Entry) -> bool:
    return _size(entry) <= MAX_BATCH_BYTES


def _too_large(entry: Entry) -> str:
    """Return why a message can not be sent: it was as large as one can be, before its id was put into its body."""
    return (
        f"with its id in it, it has {_size(entry):,} bytes, and SQS takes {MAX_BATCH_BYTES:,}; send what it asks for"
        " anew, without the spaces and keys that no task needs, then purge it"
    )


def _entry(pair: QueuePair, letter: DeadLetter) -> Entry:
    entry: Entry = {"Id": "0", "MessageBody": body_to_send(letter.message_id, letter.body)}
    if letter.message_attributes:
        entry["MessageAttributes"] = {
            name: {key: value[key] for key in _ATTRIBUTE_KEYS if key in value}  # type: ignore[misc]  # DataType is one
            for name, value in letter.message_attributes.items()
        }
    trace = letter.attributes.get("AWSTraceHeader")
    if trace:
        entry["MessageSystemAttributes"] = {"AWSTraceHeader": {"DataType": "String", "StringValue": trace}}
    group = letter.attributes.get("MessageGroupId")
    if group:
        entry["MessageGroupId"] = group
    if pair.is_fifo:
        # Not the task id: what failed again and is redriven within five minutes would be dropped as a duplicate of
        # its first copy. This id is of this one dead letter, so that only the same one sent twice is.
        entry["MessageDeduplicationId"] = letter.message_id
    return entry


def _size(entry: Entry) -> int:
    def size(value: Any) -> int:
        return len(value) if isinstance(value, bytes) else len(str(value).encode())

    attributes = entry.get("MessageAttributes", {})
    return size(entry["MessageBody"]) + sum(
        size(name) + sum(size(part) for part in value.values()) for name, value in attributes.items()
    )
