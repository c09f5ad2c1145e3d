"""Handles chosen dead letters batch by batch: the loop that a redrive and a purge have in common."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event

from qu_workflows.dead_letters.judging import DeadLetter, Selection, judge
from qu_workflows.dead_letters.receiving import HOLD_SECONDS, HeldMessages, holding
from qu_workflows.protocol.refusals import OperationFailed

# What a killed process held is invisible for a while; without the wait the end would not be the end.
PATIENCE_SECONDS = HOLD_SECONDS + 5


@dataclass
class DeadLetterResult:
    """The progress of a redrive or a purge.

    ``left`` counts, by reason, the chosen messages that were not moved. ``failed`` has what SQS said of each
    message that it did not take; those stay dead letters. ``in_both`` are in both queues, since they could not be
    deleted. ``missing`` counts those that were chosen by their ids and could not be received any more. ``error`` is
    why it ended early, ``was_stopped`` that its caller stopped it.
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
    """One redrive or purge: ``report`` is given the result as it grows; ``stop`` ends it between two batches."""

    stop: Event
    report: Report
    result: DeadLetterResult = field(default_factory=DeadLetterResult)


def handle_batches(dlq_url: str, chosen: Selection | set[str], handle: Handle, run: QueuePass) -> None:
    """Receive the queue to its end and have the chosen messages handled, at most ten at a time.

    A set names messages, and its members are removed as they are handled; when none is left, nothing more is
    received. Raises OperationRefused or OperationFailed when nothing was changed.
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
    """Report why the end of what SQS gives is not the end of the queue, where it is not."""
    result = run.result
    if _is_stopped(run):
        return
    if isinstance(chosen, set):
        result.missing = len(chosen)
    elif result.left and (count := held.kept_back()):
        result.error = f"about {count:,} more cannot be received while those before them stay: fix or purge those"
    elif count := held.held_by_others():
        result.error = f"about {count:,} more are received by somebody else, and come back after their timeout"
