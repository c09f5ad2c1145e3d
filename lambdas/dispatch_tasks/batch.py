"""Dispatches the messages of one batch side by side, and tells which of them failed.

Not Powertools' batch processors: those take a FIFO batch one message after the other, where groups
could go side by side, and their import would add a seventh to this function's cold start.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lambdas.dispatch_tasks.starts import STARTS_AT_A_TIME, NoTimeLeft, Start, StartFailed
from workflows.message import ExecutionStart, MessageRejected, read_message, task_id_of

type StartExecution = Callable[[ExecutionStart, str | None], Start]
type Lane = Sequence[Message]


class Status(StrEnum):
    """What became of a message. All but the first two are reported, and received again."""

    STARTED = "started"
    ALREADY_STARTED = "already_started"
    REJECTED = "rejected"
    THROTTLED = "throttled"
    FAILED = "failed"
    HELD_BACK = "held_back"


class EarlierMessageFailed(StartFailed):
    """An earlier message of the same group failed, and a FIFO queue keeps the order."""


@dataclass(frozen=True)
class Message:
    """One record of the batch, and what its body asks for."""

    message_id: str
    body: str
    receive_count: int
    group: str | None
    trace_header: str | None
    asks_for: ExecutionStart | Exception

    @property
    def task_id(self) -> str | None:
        """The task id, as far as the body tells it."""
        return self.asks_for.name if isinstance(self.asks_for, ExecutionStart) else task_id_of(self.body)


@dataclass(frozen=True)
class Outcome:
    """What became of a message; ``error`` says why it is reported."""

    message: Message
    status: Status
    error: Exception | None = None


def dispatch(records: Iterable[dict[str, Any]], start: StartExecution) -> Iterator[Outcome]:
    """Yield the outcome of each SQS record. Raises nothing that a single record could cause."""
    messages = [_read(record) for record in records]
    with ThreadPoolExecutor(STARTS_AT_A_TIME) as pool:
        for outcomes in pool.map(lambda lane: _dispatch_lane(lane, start), _lanes(messages)):
            yield from outcomes


def _read(record: dict[str, Any]) -> Message:
    message_id, body, attributes = record["messageId"], record["body"], record.get("attributes", {})
    in_order = record.get("eventSourceARN", "").endswith(".fifo")
    asks_for: ExecutionStart | Exception
    try:
        asks_for = read_message(body, message_id)
    except Exception as error:  # noqa: BLE001  a bug that one body brings out must not fail the others
        asks_for = error
    return Message(
        message_id,
        body,
        int(attributes.get("ApproximateReceiveCount", 1)),
        attributes.get("MessageGroupId") if in_order else None,
        attributes.get("AWSTraceHeader"),
        asks_for,
    )


def _lanes(messages: Iterable[Message]) -> list[Lane]:
    """Return what has to go in order: the messages of one group; any other message has a lane to itself."""
    lanes: dict[tuple[str, str], list[Message]] = {}
    for message in messages:
        lane = ("group", message.group) if message.group is not None else ("message", message.message_id)
        lanes.setdefault(lane, []).append(message)
    return list(lanes.values())


def _dispatch_lane(lane: Lane, start: StartExecution) -> list[Outcome]:
    outcomes: list[Outcome] = []
    failed: Message | None = None
    for message in lane:
        outcome = _hold_back(message, failed) if failed else _dispatch_one(message, start)
        failed = failed or (message if outcome.error else None)
        outcomes.append(outcome)
    return outcomes


def _hold_back(message: Message, failed: Message) -> Outcome:
    error = EarlierMessageFailed(
        f"group {message.group}", f"message {failed.message_id} before it failed.", "Mend that one."
    )
    return Outcome(message, Status.HELD_BACK, error)


def _dispatch_one(message: Message, start: StartExecution) -> Outcome:
    if isinstance(message.asks_for, Exception):
        known = isinstance(message.asks_for, MessageRejected)
        return Outcome(message, Status.REJECTED if known else Status.FAILED, message.asks_for)
    try:
        return Outcome(message, Status(start(message.asks_for, message.trace_header)))
    except NoTimeLeft as error:
        return Outcome(message, Status.THROTTLED, error)
    except Exception as error:  # noqa: BLE001  StartRefused, or a bug that must not fail the other messages
        return Outcome(message, Status.FAILED, error)
