"""Moves dead letters back to the task queue, by SQS itself or one by one.

One by one, a message is sent to the task queue and then deleted from the dead-letter queue, so a process that dies
leaves it in at least one of them. Two copies start one execution, since its name is the task id; a body without an
id gets its MessageId as ``id``, because the copy has another MessageId.

SQS's own move (StartMessageMoveTask) can neither select nor change messages, and gives them new MessageIds. So
it is used only for a whole queue of messages that can be dispatched and contain their ids.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import batched
from threading import Event
from typing import TYPE_CHECKING, Any
from uuid import UUID

from qu_workflows.aws import clients as aws
from qu_workflows.aws.pacing import Pace
from qu_workflows.aws.queues import MAX_BATCH_BYTES, MAX_BATCH_MESSAGES, QueuePair, queue_pair
from qu_workflows.dead_letters import sqs_moves
from qu_workflows.dead_letters.judging import DeadLetter, Selection, lacks_id
from qu_workflows.dead_letters.queries import RedrivePreview, no_match, preview_redrive
from qu_workflows.dead_letters.receiving import (
    DeadLetterResult,
    HeldMessages,
    QueuePass,
    Report,
    handle_batches,
    refusals,
)
from qu_workflows.protocol.message import canonical_json
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.audit import audited, new_batch
from qu_workflows.records.models import AuditAction

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

type Entry = "SendMessageBatchRequestEntryTypeDef"

MAX_PER_SECOND = 500  # SQS's own bound on its moves
DEFAULT_PER_SECOND = 100  # below what the dispatcher starts: 150 a second, 300 in the largest Regions
_ATTRIBUTE_KEYS = ("DataType", "StringValue", "BinaryValue")


@dataclass(frozen=True, kw_only=True)
class DeadLetterRedrive:
    """A redrive: messages, rate and actor. ``even_rejected`` includes messages that the dispatcher refuses."""

    selection: Selection
    actor: str
    per_second: int = DEFAULT_PER_SECOND
    even_rejected: bool = False
    batch: UUID = field(default_factory=new_batch)

    def __post_init__(self) -> None:
        if not 1 <= self.per_second <= MAX_PER_SECOND:
            raise OperationRefused(
                "--per-second", f"is {self.per_second}.", f"Give 1 to {MAX_PER_SECOND}; the dispatcher must keep up."
            )


def redrive(wanted: DeadLetterRedrive, stop: Event, report: Report) -> DeadLetterResult:
    """Move dead letters back and return the result, which ``report`` gets as it grows.

    Safe to repeat and to kill: a message is always in at least one of the queues, and starts one execution.
    Ends between two batches once ``stop`` is set. Each batch of ten has one entry in the audit table, as has a
    whole move by SQS. Raises OperationRefused when nothing was changed.
    """
    pair, selection, run = queue_pair(), wanted.selection, QueuePass(stop, report)
    chosen: Selection | set[str] = selection
    if (sqs_moves.is_supported(pair) and selection.is_everything) or selection.ids:
        preview = preview_redrive(selection, stop, even_rejected=wanted.even_rejected)
        if preview.by_sqs:
            return _move_by_sqs(wanted, preview, run)
        if selection.ids:
            chosen = {letter.message_id for letter in preview.moved}
    handle_batches(pair.dlq_url, chosen, _Mover(wanted, pair, run), run)
    if run.result == DeadLetterResult() and not selection.is_everything:
        raise no_match(selection.task or selection.reason)
    return run.result


def body_to_send(message_id: str, body: str) -> str:
    """Return the body of a message's copy, which starts the same execution under any MessageId."""
    if not lacks_id(body):
        return body
    try:
        return canonical_json({**json.loads(body), "id": message_id})
    except (ValueError, RecursionError):
        return body  # never dispatched: the dispatcher refuses NaN and half a surrogate pair


def _move_by_sqs(wanted: DeadLetterRedrive, preview: RedrivePreview, run: QueuePass) -> DeadLetterResult:
    pair, result = preview.pair, run.result
    result.by_sqs = True
    ids = [letter.message_id for letter in preview.moved]
    details = {"queue": pair.queue_name, "by": "StartMessageMoveTask", "ids": ids}
    with audited(wanted.actor, AuditAction.REDRIVE_DEAD_LETTERS, pair.dlq_name, wanted.batch, details) as entry:
        status = sqs_moves.move_all(pair, wanted.per_second, run)
        entry.message = result.error
        entry.details |= {"moved": result.count, "status": status}
    return result


class _Mover:
    """Moves messages by copying them, at the given rate."""

    def __init__(self, wanted: DeadLetterRedrive, pair: QueuePair, run: QueuePass) -> None:
        self._wanted, self._pair, self._run = wanted, pair, run
        self._pace = Pace(wanted.per_second, run.stop)

    def __call__(self, held: HeldMessages, letters: Sequence[DeadLetter]) -> None:
        """Move the accepted ones of at most ten messages; count the rest."""
        result = self._run.result
        accepted = [letter for letter in letters if self._wanted.even_rejected or letter.is_accepted]
        result.left.update(Counter(letter.reason for letter in letters) - Counter(each.reason for each in accepted))
        entries = [_entry(self._pair, letter) for letter in accepted]
        result.failed |= {entry["Id"]: _too_large(entry) for entry in entries if _size(entry) > MAX_BATCH_BYTES}
        entries = [entry for entry in entries if entry["Id"] not in result.failed]
        fits_one_call = sum(map(_size, entries)) <= MAX_BATCH_BYTES
        for part in batched(entries, MAX_BATCH_MESSAGES if fits_one_call else 1):
            if not self._pace.wait(len(part)):
                return
            self._move(held, part)
            self._run.report(result)

    def _move(self, held: HeldMessages, part: Sequence[Entry]) -> None:
        wanted, pair, result = self._wanted, self._pair, self._run.result
        details = {"queue": pair.queue_name, "ids": [entry["Id"] for entry in part], "moved_before": result.count}
        with audited(wanted.actor, AuditAction.REDRIVE_DEAD_LETTERS, pair.dlq_name, wanted.batch, details) as record:
            answer = aws.sqs().send_message_batch(QueueUrl=pair.queue_url, Entries=part)
            copies = {sent["Id"]: sent["MessageId"] for sent in answer.get("Successful", [])}
            held.ignore(copies.values())
            result.count += len(copies)
            refused, in_both = refusals(answer), held.delete(copies)
            result.failed |= refused
            result.in_both |= in_both
            record.details |= {"copies": copies, "not_moved": refused, "in_both": in_both}


def _too_large(entry: Entry) -> str:
    return (
        f"with its id added it has {_size(entry):,} bytes, and SQS takes {MAX_BATCH_BYTES:,}; send the task again"
        " without needless spaces and keys, then purge this message"
    )


def _entry(pair: QueuePair, letter: DeadLetter) -> Entry:
    entry: Entry = {"Id": letter.message_id, "MessageBody": body_to_send(letter.message_id, letter.body)}
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
        # Not the task id: a message that fails again and is redriven within five minutes would be dropped as a
        # duplicate of its first copy. The message id drops only the same dead letter sent twice.
        entry["MessageDeduplicationId"] = letter.message_id
    return entry


def _size(entry: Entry) -> int:
    def size(value: Any) -> int:
        return len(value) if isinstance(value, bytes) else len(str(value).encode())

    attributes = entry.get("MessageAttributes", {})
    return size(entry["MessageBody"]) + sum(
        size(name) + sum(size(part) for part in value.values()) for name, value in attributes.items()
    )
