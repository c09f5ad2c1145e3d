"""Queries on the dead-letter queue: messages, reasons, previews of redrive and purge.

Reading hides messages from other processes meanwhile, so pages share one snapshot per process of at most MOST_SHOWN
messages.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event
from time import monotonic

from django.conf import settings

from qu_workflows.aws.queues import (
    QueueDepth,
    QueuePair,
    dlq_url,
    name_of,
    no_queue,
    queue_depth,
    queue_pair,
    sqs_refusals,
    uses_queue,
)
from qu_workflows.caching import Cache, Cached
from qu_workflows.dead_letters import sqs_moves
from qu_workflows.dead_letters.judging import (
    ALREADY_STARTED,
    CAN_BE_DISPATCHED,
    RAN_IN_PROCESS,
    DeadLetter,
    Selection,
    judge,
    reasons,
)
from qu_workflows.dead_letters.receiving import HeldMessages, holding
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused

__all__ = [
    "ALREADY_STARTED",
    "CAN_BE_DISPATCHED",
    "RAN_IN_PROCESS",
    "DeadLetter",
    "DeadLetterList",
    "QueueDepth",
    "RedrivePreview",
    "Selection",
    "depths",
    "expire_snapshot",
    "find_dead_letter",
    "judge",
    "list_dead_letters",
    "preview_purge",
    "preview_redrive",
    "reasons",
    "refresh_depths",
    "snapshot",
    "summary",
    "uses_queue",
]

# The bytes of bodies kept in memory, however long the queue is.
MAX_KEPT_BYTES = 64 * 1024 * 1024
MOST_SHOWN = 500
DEPTH_SECONDS, SNAPSHOT_SECONDS, SUMMARY_SECONDS = 5.0, 15.0, 300.0
TASK_QUEUE, DEAD_LETTER_QUEUE = "AWS_SQS_QUEUE_URL", "AWS_SQS_DLQ_URL"
EVERYTHING, NOTHING = Selection(), Selection(ids=("",))


@dataclass(frozen=True)
class DeadLetterList:
    """The messages that were read, the oldest first. ``is_complete``: SQS counts no more messages.

    ``held_by_others`` is about how many messages other processes hold; those are not listed.
    """

    letters: Sequence[DeadLetter]
    is_complete: bool
    approximate_total: int
    held_by_others: int = 0

    def by_reason(self) -> Counter[str]:
        """Return the number of messages by reason."""
        return Counter(letter.reason for letter in self.letters)

    def find(self, message_or_task_id: str) -> DeadLetter | None:
        """Return the message of a message or task id, or None."""
        ids = Selection(ids=(message_or_task_id,))
        return next((letter for letter in self.letters if ids.has(letter)), None)


@dataclass(frozen=True)
class RedrivePreview:
    """The preview of a redrive; ``by_sqs``: SQS moves the whole queue itself."""

    pair: QueuePair
    found: DeadLetterList
    moved: Sequence[DeadLetter]
    left: Sequence[DeadLetter]
    by_sqs: bool


def list_dead_letters(
    limit: int | None = None, stop: Event | None = None, bodies_of: Selection = NOTHING
) -> DeadLetterList:
    """Read at most ``limit`` messages of the dead-letter queue and leave all of them there.

    Keeps bodies and attributes of the messages that match ``bodies_of``; reading ends when they reach MAX_KEPT_BYTES.
    Each message is listed once, and visible again at the end, or after its timeout if this process dies. Raises
    OperationRefused, and OperationFailed once ``stop`` is set.
    """
    url, letters, kept_bytes = queue_pair().dlq_url, list[DeadLetter](), 0
    with holding(url) as held:
        for letter in _received(held, name_of(url), limit, stop):
            if not bodies_of.has(letter):
                letters.append(letter.without_body())
                continue
            letters.append(letter)
            kept_bytes += len(letter.body) + len(letter.start.input_json if letter.start else "")
            if kept_bytes > MAX_KEPT_BYTES:
                break
        others = held.held_by_others()
    with sqs_refusals():  # after giving back all messages: SQS counts held messages up to a minute late
        total = max(len(letters), queue_depth(url).visible)
    letters.sort(key=lambda letter: (letter.sent_at, letter.message_id))
    return DeadLetterList(letters, total == len(letters) and not others and not held.is_cut_short, total, others)


def find_dead_letter(message_or_task_id: str, stop: Event | None = None) -> DeadLetter:
    """Return one message with its body. Raises OperationRefused if it is not in the queue."""
    url, ids, number_read = queue_pair().dlq_url, Selection(ids=(message_or_task_id,)), 0
    with holding(url) as held:
        for letter in _received(held, name_of(url), None, stop):
            if ids.has(letter):
                return letter
            number_read += 1
    raise _not_there([message_or_task_id], number_read)


def preview_redrive(selection: Selection, stop: Event | None = None, *, even_rejected: bool = False) -> RedrivePreview:
    """Return the effect of a redrive without moving anything.

    Raises OperationRefused for an id that is missing or cannot be dispatched, or if no message matches.
    """
    pair = queue_pair()
    sqs_can_move = sqs_moves.is_supported(pair)
    found, chosen = _chosen(selection, stop)
    if not chosen and not selection.is_everything:
        raise no_match(selection.task or ", ".join(selection.ids) or selection.reason)
    moved = [letter for letter in chosen if even_rejected or letter.is_accepted]
    left = [letter for letter in chosen if not (even_rejected or letter.is_accepted)]
    if left and selection.ids:
        raise OperationRefused(
            left[0].message_id,
            f"cannot be dispatched: {left[0].why}",
            f"{left[0].remedy} With --even-rejected it is moved, and comes back.",
        )
    # SQS's own move can neither select messages nor put an id into a body.
    is_whole = selection.is_everything and found.is_complete and bool(moved) and not left
    by_sqs = sqs_can_move and is_whole and not any(letter.lacks_id for letter in moved)
    return RedrivePreview(pair, found, moved, left, by_sqs)


def preview_purge(selection: Selection, stop: Event | None = None) -> tuple[DeadLetterList, list[DeadLetter]]:
    """Return the messages read and those to delete. Raises OperationRefused if none matches."""
    found, chosen = _chosen(selection, stop)
    if not chosen:
        raise no_match("purge")
    return found, chosen


def snapshot() -> Cached[DeadLetterList]:
    """Return the oldest messages with their bodies, from this process's snapshot. Raises nothing."""
    return _snapshots.get(EVERYTHING)


def summary(total: int, wait_seconds: float) -> Cached[DeadLetterList]:
    """Return the oldest messages without bodies, read again when ``total`` (of the queue) changes."""
    return _summaries.get(NOTHING, wait_seconds, version=total)


def refresh_depths() -> None:
    """Start to refresh outdated depths of both queues, without waiting."""
    for setting in (TASK_QUEUE, DEAD_LETTER_QUEUE):
        _depths.refresh(setting)


def depths(wait_seconds: float) -> tuple[Cached[QueueDepth], Cached[QueueDepth]]:
    """Return the depths of the task queue and the dead-letter queue. Raises nothing."""
    until = monotonic() + wait_seconds
    return _depths.get(TASK_QUEUE, wait_seconds), _depths.get(DEAD_LETTER_QUEUE, until - monotonic())


def expire_snapshot() -> None:
    """Expire the snapshot after messages were moved or purged."""
    _snapshots.expire(EVERYTHING)


def forget_all() -> None:
    """Clear all caches."""
    for cache in (_snapshots, _summaries, _depths):
        cache.clear()


def no_match(where: str) -> OperationRefused:
    """Return the refusal of a selection without a match."""
    return OperationRefused(where, "matches no message of the dead-letter queue.", "See manage.py dlq list.")


def _chosen(selection: Selection, stop: Event | None) -> tuple[DeadLetterList, list[DeadLetter]]:
    found = list_dead_letters(stop=stop)
    missing = selection.missing_from(found.letters)
    if missing:
        raise _not_there(missing, len(found.letters))
    return found, [letter for letter in found.letters if selection.has(letter)]


def _not_there(ids: Sequence[str], number_read: int) -> OperationRefused:
    return OperationRefused(
        ", ".join(ids),
        f"is not a message in the dead-letter queue, nor the task id of one ({number_read:,} read).",
        "See manage.py dlq list. A message held by another process comes back after its visibility timeout.",
    )


def _received(held: HeldMessages, queue_name: str, limit: int | None, stop: Event | None) -> Iterator[DeadLetter]:
    count = 0
    while limit is None or count < limit:
        if stop is not None and stop.is_set():
            raise OperationFailed(queue_name, "was not read completely: stopped.", "Nothing was changed.")
        received = held.receive(10 if limit is None else limit - count)
        if not received:
            return
        count += len(received)
        yield from judge(received)


def _read_oldest(bodies_of: Selection, _previous: DeadLetterList | None) -> DeadLetterList:
    if not uses_queue():
        raise no_queue()
    with sqs_refusals():
        depth = queue_depth(queue_pair().dlq_url)
    if not depth.in_flight and not depth.visible:  # an empty receive would take a second
        return DeadLetterList((), is_complete=True, approximate_total=0)
    return list_dead_letters(MOST_SHOWN, bodies_of=bodies_of)


def _read_depth(setting: str, _previous: QueueDepth | None) -> QueueDepth:
    with sqs_refusals(setting):
        return queue_depth(settings.AWS_SQS_QUEUE_URL if setting == TASK_QUEUE else dlq_url())


_depths = Cache("SQS", _read_depth, DEPTH_SECONDS)
_snapshots = Cache("SQS", _read_oldest, SNAPSHOT_SECONDS, retry_seconds=SNAPSHOT_SECONDS)
# Reading hides messages from others meanwhile: an open overview must not do so every few seconds.
_summaries = Cache("SQS", _read_oldest, SUMMARY_SECONDS)
