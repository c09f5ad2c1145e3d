"""The events that Step Functions sends to EventBridge when an execution's status changes.

https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
"""

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from asl_engine.adapters.services import ServiceClients
from asl_engine.jsontext import Json, dumps, size_bytes

SOURCE = "aws.states"
DETAIL_TYPE = "Step Functions Execution Status Change"
MAX_TEXT_BYTES = 248 * 1024  # of input and output, escaped as they stand in the event
MAX_ENTRIES = 10  # https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
ATTEMPTS = 5

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StatusChange:
    """An execution as it stands after its status changed. Texts of JSON; times in milliseconds since 1970."""

    execution_arn: str
    state_machine_arn: str
    name: str
    status: str
    start_ms: int
    input: str
    stop_ms: int | None = None
    output: str | None = None
    error: str | None = None
    cause: str | None = None
    redrive_count: int = 0
    redrive_ms: int | None = None
    redrive_status: str = "NOT_REDRIVABLE"
    redrive_status_reason: str | None = None
    version_arn: str | None = None
    alias_arn: str | None = None


class StatusEvents(Protocol):
    """Takes status changes; must return at once, and may be called from many threads."""

    def publish(self, change: StatusChange) -> None:
        """Hand on one change."""
        ...


def detail_of(change: StatusChange) -> dict[str, Json]:
    """Return the ``detail`` of the event. Input and output are left out where they are too large."""
    output_bytes = _escaped_bytes(change.output)
    output_fits = output_bytes <= MAX_TEXT_BYTES
    input_fits = _escaped_bytes(change.input) + output_bytes <= MAX_TEXT_BYTES
    return {
        "executionArn": change.execution_arn,
        "stateMachineArn": change.state_machine_arn,
        "stateMachineVersionArn": change.version_arn,
        "stateMachineAliasArn": change.alias_arn,
        "name": change.name,
        "status": change.status,
        "startDate": change.start_ms,
        "stopDate": change.stop_ms,
        "input": change.input if input_fits else None,
        "inputDetails": {"included": input_fits},
        "output": change.output if output_fits else None,
        "outputDetails": None if change.output is None else {"included": output_fits},
        "error": change.error,
        "cause": change.cause,
        "redriveCount": change.redrive_count,
        "redriveDate": change.redrive_ms,
        "redriveStatus": change.redrive_status,
        "redriveStatusReason": change.redrive_status_reason,
    }


def entry_of(change: StatusChange, source: str = SOURCE) -> dict[str, Any]:
    """Return the change as an entry for PutEvents."""
    return {
        "Source": source,
        "DetailType": DETAIL_TYPE,
        "Detail": dumps(detail_of(change)),
        "Resources": [change.execution_arn],
    }


class EventBridgeStatusEvents:
    """Puts status changes on the default event bus, in order, from a thread of its own.

    ``source`` other than ``aws.states`` is for a local event bus that keeps that one to itself. A bus
    that does not answer is asked ``ATTEMPTS`` times; what it does not take then is logged and dropped,
    as nothing of an execution depends on it.
    """

    def __init__(
        self, clients: ServiceClients, source: str = SOURCE, pause: Callable[[float], None] | None = None
    ) -> None:
        self._clients, self._source = clients, source
        self._waiting: queue.SimpleQueue[StatusChange | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._pause = pause or self._stopping.wait
        self._thread = threading.Thread(target=self._run, name="status-events", daemon=True)
        self._thread.start()

    def publish(self, change: StatusChange) -> None:
        """Queue one change."""
        self._waiting.put(change)

    def close(self, timeout_seconds: float = 5) -> None:
        """Put what is queued, and end."""
        self._waiting.put(None)
        self._thread.join(timeout_seconds)
        self._stopping.set()

    def _run(self) -> None:
        while batch := self._next_batch():
            self._put([entry_of(change, self._source) for change in batch])

    def _next_batch(self) -> list[StatusChange]:
        """Return what waits, at most as much as one call takes; nothing at the end."""
        first = self._waiting.get()
        batch = [] if first is None else [first]
        while batch and len(batch) < MAX_ENTRIES:
            try:
                change = self._waiting.get_nowait()
            except queue.Empty:
                break
            if change is None:
                self._waiting.put(None)  # the end, for the next round
                break
            batch.append(change)
        return batch

    def _put(self, entries: list[dict[str, Any]]) -> None:
        problem: object = None
        for attempt in range(ATTEMPTS):
            if attempt:
                self._pause(0.2 * 2**attempt)
            try:
                answers = self._clients.client("events").put_events(Entries=entries)["Entries"]
            except Exception as error:  # noqa: BLE001  whatever is wrong with the bus, the engine goes on
                problem = error
                continue
            refused = [
                (entry, answer) for entry, answer in zip(entries, answers, strict=True) if "EventId" not in answer
            ]
            if not refused:
                return
            entries, problem = [entry for entry, _ in refused], refused[0][1]
        logger.error("%d status events were not taken: %s", len(entries), problem)


def _escaped_bytes(text: str | None) -> int:
    return 0 if text is None else size_bytes(dumps(text))
