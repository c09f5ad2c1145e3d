"""Changes the dead-letter queue: redrive and purge, without a limit of time or within a web request.

Within a request both end after SECONDS and report how far they came. To ask for the same again goes on where it
ended: nothing is lost, and each message starts one execution.
"""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Timer

from qu_workflows.aws.queues import queue_depth, queue_pair, sqs_refusals
from qu_workflows.dead_letters.handling import DeadLetterResult
from qu_workflows.dead_letters.judging import Selection
from qu_workflows.dead_letters.purging import BucketArchive, FileArchive, purge
from qu_workflows.dead_letters.queries import MOST_SHOWN, expire_snapshot
from qu_workflows.dead_letters.redriving import DEFAULT_PER_SECOND, MAX_PER_SECOND, DeadLetterRedrive, redrive
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.audit import new_batch

__all__ = [
    "DEFAULT_PER_SECOND",
    "MAX_PER_SECOND",
    "DeadLetterRedrive",
    "DeadLetterResult",
    "FileArchive",
    "purge",
    "purge_within_request",
    "redrive",
    "redrive_command",
    "redrive_within_request",
]

SECONDS = 20.0  # a web server waits for 30
# Beyond this even to read all of them takes longer than a request may.
MOST_IN_A_REQUEST = 5_000


def redrive_within_request(wanted: DeadLetterRedrive) -> DeadLetterResult:
    """Move messages back, until all are moved or the time is up: then ``was_stopped``. Raises as ``redrive`` does."""
    _refuse_many(redrive_command(wanted))
    with _time_limit() as stop:
        return redrive(wanted, stop, _ignore)


def purge_within_request(ids: Sequence[str], actor: str) -> tuple[DeadLetterResult, str]:
    """Save messages to the bucket and delete them, until the time is up; return what was done, and where they are.

    Only named messages: a user deletes no message that no user has seen. Raises as ``purge`` does.
    """
    if not 1 <= len(ids) <= MOST_SHOWN:
        raise OperationRefused("purge", f"{len(ids):,} messages are named.", f"Name 1 to {MOST_SHOWN}.")
    _refuse_many("manage.py dlq purge --id ID --save FILE --yes")
    batch = new_batch()
    archive = BucketArchive(batch)
    with _time_limit() as stop:
        return purge(Selection(ids=ids), archive, actor, stop, _ignore, batch), str(archive)


def redrive_command(wanted: DeadLetterRedrive) -> str:
    """Return the command that does the same, however long it takes."""
    selection = wanted.selection
    which = f"--task {shlex.quote(selection.task)}" if selection.task else "--all"
    return f"manage.py dlq redrive {'--id ID' if selection.ids else which} --per-second {wanted.per_second} --yes"


def _refuse_many(command: str) -> None:
    with sqs_refusals():
        count = queue_depth(queue_pair().dlq_url).visible
    if count > MOST_IN_A_REQUEST:
        raise OperationRefused(
            "the dead-letter queue",
            f"has about {count:,} messages, more than can be looked at while a browser waits.",
            f"Use {command}",
        )


@contextmanager
def _time_limit() -> Iterator[Event]:
    stop = Event()
    timer = Timer(SECONDS, stop.set)
    timer.daemon = True
    timer.start()
    try:
        yield stop
    finally:
        timer.cancel()
        expire_snapshot()


def _ignore(_result: DeadLetterResult) -> None:
    """Report no progress: the request ends when it ends."""
