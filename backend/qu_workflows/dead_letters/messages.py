"""The messages that started nothing: what each asks for, and why it was not dispatched.

Why is found by ``protocol.message.read_message``, the check that the dispatcher itself makes, with the catalog
of this code: what can be dispatched now may not have been when it was received, because its task did not exist
yet or Step Functions was throttled.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event
from typing import Any

from django.utils import timezone

from qu_workflows.aws.queues import name_of, queue_depth, queue_pair, sqs_refusals
from qu_workflows.dead_letters.held_messages import HeldMessages, Message, holding
from qu_workflows.protocol.message import ExecutionStart, MessageRejected, read_message, task_id_of
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused
from qu_workflows.records.models import WAITING, TaskRecord

CAN_BE_DISPATCHED = "CanBeDispatched"
ALREADY_STARTED = "AlreadyStarted"
RAN_IN_PROCESS = "RanInProcess"
# Moved by default: the dispatcher takes them. It starts nothing for a name that is taken, and deletes the message.
TAKEN_BY_THE_DISPATCHER = (CAN_BE_DISPATCHED, ALREADY_STARTED)
_LOCAL_ARN = "arn:aws:states:local:"
# Of a queue of any length, no more is kept in memory than a little of each message, and so much of bodies.
MAX_KEPT_BYTES = 64 * 1024 * 1024
_MAX_TASK_LENGTH = 255  # as a task record has it; no task's name is longer


def reasons() -> list[str]:
    """Return every reason there is: the three above, and the errors by which the dispatcher's log names a refusal."""
    rejections = sorted(leaf.__name__ for leaf in MessageRejected.__subclasses__())
    return [*TAKEN_BY_THE_DISPATCHER, RAN_IN_PROCESS, *rejections]


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """One message of the dead-letter queue.

    ``task_id`` names its execution; None where the body has no id that could. ``why`` is None when it can be
    dispatched now. ``sent_at`` is when it was first sent (on a FIFO queue: when it became a dead letter).
    ``receive_count`` is SQS's ApproximateReceiveCount: over all queues, so that of the task queue and every
    look at the dead letters since. ``record_status`` is the task record's, "" where there is none. ``lacks_id``:
    its MessageId stands for the id, which a copy does not keep. ``body`` and the attributes are empty where they
    were not asked for.
    """

    message_id: str
    task_id: str | None
    task: str | None
    reason: str
    why: str | None
    remedy: str
    record_status: str
    sent_at: datetime
    age_seconds: float
    receive_count: int
    lacks_id: bool
    body: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    message_attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_taken(self) -> bool:
        """Whether the dispatcher takes it, moved back now."""
        return self.reason in TAKEN_BY_THE_DISPATCHER


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which messages are meant: all of these conditions, each empty for any. ``ids`` are message or task ids."""

    task: str = ""
    ids: Sequence[str] = ()
    reason: str = ""

    def has(self, letter: DeadLetter) -> bool:
        """Tell whether a message is meant."""
        return (
            (not self.task or letter.task == self.task)
            and (not self.ids or letter.message_id in self.ids or letter.task_id in self.ids)
            and (not self.reason or letter.reason == self.reason)
        )

    @property
    def is_everything(self) -> bool:
        """Whether every message is meant."""
        return not (self.task or self.ids or self.reason)

    def missing_from(self, letters: Sequence[DeadLetter]) -> list[str]:
        """Return the ids that none of these messages has."""
        found = {letter.message_id for letter in letters} | {letter.task_id for letter in letters}
        return [given for given in self.ids if given not in found]


@dataclass(frozen=True)
class Reading:
    """What was read, the oldest first. ``is_complete``: SQS believes that the queue has no more.

    ``held_by_others`` is about how many somebody else has received just now; those are in no list.
    """

    letters: Sequence[DeadLetter]
    is_complete: bool
    approximate_total: int
    held_by_others: int = 0

    def by_reason(self) -> Counter[str]:
        """Return how many there are of each reason."""
        return Counter(letter.reason for letter in self.letters)


def read(
    limit: int | None = None, stop: Event | None = None, whole: Callable[[DeadLetter], bool] = lambda _letter: False
) -> Reading:
    """Read the dead-letter queue, at most ``limit`` messages of it, and leave every message there.

    Bodies and attributes are kept of those that ``whole`` wants, until they have MAX_KEPT_BYTES: reading ends
    there as at the limit. Nothing is lost or hidden: what is received is given back at the end, and by itself
    (see ``held_messages``) if this process dies. Each message is there once. Reading raises receive counts, to
    no effect: a dead-letter queue has no dead-letter queue. Raises OperationRefused, and OperationFailed also
    once ``stop`` is set.
    """
    url, letters, kept_bytes = queue_pair().dlq_url, list[DeadLetter](), 0
    with holding(url) as held:
        for letter in _looked_at(held, name_of(url), limit, stop):
            wanted = whole(letter)
            letters.append(letter if wanted else replace(letter, body="", attributes={}, message_attributes={}))
            kept_bytes += len(letter.body) if wanted else 0
            if kept_bytes > MAX_KEPT_BYTES:
                break
        others = held.held_by_others()
    with sqs_refusals():  # after everything was given back: SQS is up to a minute late to count what is held
        total = max(len(letters), queue_depth(url).visible)
    letters.sort(key=lambda letter: (letter.sent_at, letter.message_id))
    return Reading(letters, total == len(letters) and not others and not held.is_cut_short, total, others)


def find(given: str, stop: Event | None = None) -> DeadLetter:
    """Return the message of a message id or task id, whole. Raises OperationRefused when it is not there."""
    url, looked_at = queue_pair().dlq_url, 0
    with holding(url) as held:
        for letter in _looked_at(held, name_of(url), None, stop):
            if given in (letter.message_id, letter.task_id):
                return letter
            looked_at += 1
    raise not_there([given], looked_at)


def not_there(ids: Sequence[str], looked_at: int) -> OperationRefused:
    """Return what to say of ids that none of the messages looked at has."""
    return OperationRefused(
        ", ".join(ids),
        f"is no message of the dead-letter queue, nor the task id of one ({looked_at:,} read).",
        "See manage.py dlq list. One that somebody else has just received comes back after its visibility timeout.",
    )


def judged(messages: Sequence[Message]) -> list[DeadLetter]:
    """Return messages as dead letters, judged by the dispatcher's check and by their task records."""
    read_as = [(message, _read(message["Body"], message["MessageId"])) for message in messages]
    task_ids = {message["MessageId"]: _task_id(message, asks_for) for message, asks_for in read_as}
    known = TaskRecord.objects.only("status", "ran_inline", "execution_arn")
    records = known.in_bulk([task_id for task_id in task_ids.values() if task_id])
    return [
        _judge(message, asks_for, task_ids[message["MessageId"]], records.get(task_ids[message["MessageId"]] or ""))
        for message, asks_for in read_as
    ]


def lacks_id(body: str) -> bool:
    """Tell whether a body is read under its MessageId: it is an object, and neither an id nor a schedule names it."""
    message = _object(body)
    return message is not None and message.get("id") is None and message.get("schedule") is None


def _looked_at(held: HeldMessages, queue_name: str, limit: int | None, stop: Event | None) -> Iterator[DeadLetter]:
    count = 0
    while limit is None or count < limit:
        if stop is not None and stop.is_set():
            raise OperationFailed(queue_name, "was read no further: stopped.", "Nothing was changed.")
        received = held.receive(10 if limit is None else limit - count)
        if not received:
            return
        count += len(received)
        yield from judged(received)


def _read(body: str, message_id: str) -> ExecutionStart | Exception:
    try:
        return read_message(body, message_id)
    except Exception as error:  # noqa: BLE001  the dispatcher would fail by it as well
        return error


def _judge(
    message: Message, asks_for: ExecutionStart | Exception, task_id: str | None, record: TaskRecord | None
) -> DeadLetter:
    body, attributes = message["Body"], message.get("Attributes", {})
    reason, why, remedy = _verdict(asks_for, record)
    sent_at = datetime.fromtimestamp(int(attributes.get("SentTimestamp", 0)) / 1000, UTC)
    return DeadLetter(
        message_id=message["MessageId"],
        task_id=task_id,
        task=asks_for.task if isinstance(asks_for, ExecutionStart) else _task(body),
        reason=reason,
        why=why,
        remedy=remedy,
        record_status=record.status if record else "",
        sent_at=sent_at,
        age_seconds=max(0.0, (timezone.now() - sent_at).total_seconds()),
        receive_count=int(attributes.get("ApproximateReceiveCount", 0)),
        lacks_id=lacks_id(body),
        body=body,
        attributes={str(name): value for name, value in attributes.items()},
        message_attributes=dict(message.get("MessageAttributes", {})),
    )


def _verdict(asks_for: ExecutionStart | Exception, record: TaskRecord | None) -> tuple[str, str | None, str]:
    if isinstance(asks_for, MessageRejected):
        return type(asks_for).__name__, f"{asks_for.where}: {asks_for.problem}", asks_for.remedy
    if isinstance(asks_for, Exception):
        remedy = "Report it: the dispatcher fails by the same error."
        return type(asks_for).__name__, f"could not be judged ({asks_for!r}).", remedy
    if record is None or record.status in WAITING:
        return CAN_BE_DISPATCHED, None, "Its execution was not started then. Redrive it, and it is."
    if record.ran_inline or record.execution_arn.startswith(_LOCAL_ARN):
        why = f"the task was run without the queue, in the web process, and is {record.status}."
        return RAN_IN_PROCESS, why, "Moved back it would run a second time. Purge it."
    return (
        ALREADY_STARTED,
        f"its execution was started and is {record.status}: moved back, the message starts nothing and is gone.",
        "To run the task again: manage.py executions redrive or restart. Redrive or purge the message to be rid of it.",
    )


def _object(body: str) -> dict[str, Any] | None:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def _task(body: str) -> str | None:
    task = (_object(body) or {}).get("task")
    return task[:_MAX_TASK_LENGTH] if isinstance(task, str) else None


def _task_id(message: Message, asks_for: ExecutionStart | Exception) -> str | None:
    if isinstance(asks_for, ExecutionStart):
        return asks_for.name
    return message["MessageId"] if lacks_id(message["Body"]) else task_id_of(message["Body"])
