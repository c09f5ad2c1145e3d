"""What pages show of the dead-letter queue: read once for all who look, little of it, and not held for long.

Reading makes messages invisible for others while it lasts, so that a page reads at most MOST_SHOWN of them, and what
it read is shown to everybody of this process for KEPT_SECONDS. Several processes read each for itself.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from django.conf import settings
from django.utils import timezone

from qu_workflows.aws.queues import queue_depth, queue_pair, sqs_refusals
from qu_workflows.dead_letters.messages import DeadLetter, Reading, read
from qu_workflows.dead_letters.moving import body_to_send
from qu_workflows.protocol.message import ExecutionStart, MessageRejected, read_message
from qu_workflows.protocol.refusals import OperationRefused

MOST_SHOWN = 500
KEPT_SECONDS = 15.0


@dataclass(frozen=True)
class DeadLetterLook:
    """What is known of the dead-letter queue. ``reading`` is of ``as_of``, both None where nothing was ever read.

    ``unanswered`` says in a sentence why there is nothing newer, "" if there is.
    """

    reading: Reading | None = None
    as_of: datetime | None = None
    unanswered: str = ""

    def find(self, message_id: str) -> DeadLetter | None:
        """Return the message of a message or task id, if it was among those that were read."""
        letters = self.reading.letters if self.reading else ()
        return next((letter for letter in letters if message_id in (letter.message_id, letter.task_id)), None)


class DeadLetterLooks:
    """The look that a process keeps. For any number of threads: one reads, and the others wait for what it found."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, Lock()
        self._look, self._until = DeadLetterLook(), 0.0

    def look(self) -> DeadLetterLook:
        """Return what is known, reading the queue if that is too old. Raises nothing."""
        with self._lock:
            if self._clock() >= self._until:
                self._look = self._newer()
                self._until = self._clock() + KEPT_SECONDS
            return self._look

    def forget(self) -> None:
        """Read anew at the next look: messages were moved or purged."""
        with self._lock:
            self._until = 0.0

    def forget_all(self) -> None:
        """Know nothing any more."""
        with self._lock:
            self._look, self._until = DeadLetterLook(), 0.0

    def _newer(self) -> DeadLetterLook:
        try:
            return DeadLetterLook(_read(), timezone.now())
        except OperationRefused as refused:
            return DeadLetterLook(self._look.reading, self._look.as_of, str(refused))


def _read() -> Reading:
    """Read the oldest, unless SQS believes that there are none: then asking for them would only take a second."""
    if not settings.USE_ASYNC_TASKS:
        raise OperationRefused("USE_ASYNC_TASKS", "is off: tasks run without a queue.", "So there are no dead letters.")
    url = queue_pair().dlq_url
    with sqs_refusals():
        depth = queue_depth(url)
        held = depth.in_flight
        if not held and not depth.visible:
            return Reading((), is_complete=True, approximate_total=0)
    return read(MOST_SHOWN, whole=lambda _letter: True)


def start_of(letter: DeadLetter) -> ExecutionStart | None:
    """Return the execution that a message would start, moved back now; None for one that the dispatcher refuses."""
    try:
        return read_message(body_to_send(letter.message_id, letter.body), letter.message_id)
    except (MessageRejected, ValueError, RecursionError):
        return None


_looks = DeadLetterLooks()


def look_at_dead_letters() -> DeadLetterLook:
    """Return what is known of the dead-letter queue, from this process's look. Raises nothing."""
    return _looks.look()


def forget_dead_letters() -> None:
    """Have the queue be read anew at the next look."""
    _looks.forget()


def forget_all() -> None:
    """Know nothing of the queue any more."""
    _looks.forget_all()
