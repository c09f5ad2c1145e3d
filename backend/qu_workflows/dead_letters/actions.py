"""Moving and purging dead letters within a request: for SECONDS at the most, and the rest by the command.

Both say how far they came. To ask for the same again goes on where it ended: nothing is lost, and each message starts
one execution.
"""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Timer

from qu_workflows.aws.queues import queue_depth, queue_pair, sqs_refusals
from qu_workflows.dead_letters.messages import Selection
from qu_workflows.dead_letters.moving import Moved, Order, redrive
from qu_workflows.dead_letters.purging import Purged, PurgeOrder, bucket_folder, purge
from qu_workflows.dead_letters.snapshot import MOST_SHOWN, forget_dead_letters
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.audit import new_batch

SECONDS = 20.0  # a web server waits for 30
# Beyond this even to look at all of them takes longer than a request may.
MOST_IN_A_REQUEST = 5_000


def redrive_for_a_while(order: Order) -> Moved:
    """Move messages back, until all are moved or the time is up: then ``was_stopped``. Raises as ``redrive`` does."""
    _refuse_of_many(redrive_command(order))
    with _time_limit() as stop:
        return redrive(order, stop, _tell_nobody)


def purge_for_a_while(ids: Sequence[str], actor: str) -> tuple[Purged, str]:
    """Save messages to the bucket and delete them, until the time is up; return what was done, and where they are.

    Only what is named: nobody deletes what nobody has seen. Raises as ``purge`` does.
    """
    if not 1 <= len(ids) <= MOST_SHOWN:
        raise OperationRefused("purge", f"{len(ids):,} messages are named.", f"Name 1 to {MOST_SHOWN}.")
    _refuse_of_many("manage.py dlq purge --id ID --save FILE --yes")
    batch = new_batch()
    folder = bucket_folder(batch)
    order = PurgeOrder(selection=Selection(ids=ids), actor=actor, save_to=folder, batch=batch)
    with _time_limit() as stop:
        return purge(order, stop, _tell_nobody), str(folder)


def redrive_command(order: Order) -> str:
    """Return the command that does what an order asks for, however long it takes."""
    selection = order.selection
    which = f"--task {shlex.quote(selection.task)}" if selection.task else "--all"
    return f"manage.py dlq redrive {'--id ID' if selection.ids else which} --per-second {order.per_second} --yes"


def _refuse_of_many(command: str) -> None:
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
        forget_dead_letters()


def _tell_nobody(_done: object) -> None:
    """Say nothing of the progress: the request ends when it ends."""
