"""The events that Step Functions sends to EventBridge when an execution's status changes.

https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
"""

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from asl_engine.adapters.services import ServiceClients
from asl_engine.jsontext import Json, dumps, size_bytes
from asl_engine.store.records import ExecutionRecord

SOURCE = "aws.states"
DETAIL_TYPE = "Step Functions Execution Status Change"
MAX_TEXT_BYTES = 248 * 1024  # of input and output, escaped as they stand in the event
MAX_ENTRIES = 10  # https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
ATTEMPTS = 5

logger = logging.getLogger(__name__)


def detail_of(record: ExecutionRecord) -> dict[str, Json]:
    """Return the ``detail`` of the event. Input and output are left out where they are too large."""
    output_bytes = _escaped_bytes(record.output)
    output_fits = output_bytes <= MAX_TEXT_BYTES
    input_fits = _escaped_bytes(record.input) + output_bytes <= MAX_TEXT_BYTES
    redrive_status, reason = record.redrivability()
    detail = {name: value for name, value in record.description().items() if name not in ("mapRunArn", "traceHeader")}
    return detail | {
        "input": record.input if input_fits else None,
        "inputDetails": {"included": input_fits},
        "output": record.output if output_fits else None,
        "outputDetails": None if record.output is None else {"included": output_fits},
        "redriveStatus": redrive_status,
        "redriveStatusReason": reason,
    }


def entry_of(record: ExecutionRecord, source: str = SOURCE) -> dict[str, Any]:
    """Return the status change of an execution as an entry for PutEvents."""
    return {
        "Source": source,
        "DetailType": DETAIL_TYPE,
        "Detail": dumps(detail_of(record)),
        "Resources": [record.arn],
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
        self._waiting: queue.SimpleQueue[ExecutionRecord | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._pause = pause or self._stopping.wait
        self._thread = threading.Thread(target=self._run, name="status-events", daemon=True)
        self._thread.start()

    def publish(self, record: ExecutionRecord) -> None:
        """Queue the change of an execution's status."""
        self._waiting.put(record)

    def close(self, timeout_seconds: float = 5) -> None:
        """Put what is queued, and end."""
        self._waiting.put(None)
        self._thread.join(timeout_seconds)
        self._stopping.set()

    def _run(self) -> None:
        while batch := self._next_batch():
            self._put([entry_of(record, self._source) for record in batch])

    def _next_batch(self) -> list[ExecutionRecord]:
        """Return what waits, at most as much as one call takes; nothing at the end."""
        first = self._waiting.get()
        batch = [] if first is None else [first]
        while batch and len(batch) < MAX_ENTRIES:
            try:
                record = self._waiting.get_nowait()
            except queue.Empty:
                break
            if record is None:
                self._waiting.put(None)  # the end, for the next round
                break
            batch.append(record)
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
