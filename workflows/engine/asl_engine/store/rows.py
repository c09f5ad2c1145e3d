"""Executions and history as rows of the SQLite store."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from asl_engine.core.history import HistoryEvent
from asl_engine.jsontext import Json, dumps, loads
from asl_engine.store.contract import ExecutionRecord
from asl_engine.store.schema import HISTORY_BITS

_CHUNK = 256  # events; a page of history reads few rows, and decodes few events that it does not need

# The input stands in a table of its own: it never changes, and every change rewrites a row whole.
_KEPT = tuple(one.name for one in fields(ExecutionRecord) if one.name != "input")
_CHANGING = ("status", "stop_ms", "redrive_count", "redrive_ms", "output", "error", "cause", "recent_ms")

_COLUMNS = ", ".join(_KEPT)
SELECT_RECORD = f"SELECT {_COLUMNS}, input FROM executions JOIN inputs ON execution_id = id"  # noqa: S608  names of our own
SELECT_SAVED = f"SELECT {_COLUMNS}, input, id, state FROM executions JOIN inputs ON execution_id = id WHERE arn = ?"  # noqa: S608  names of our own
SELECT_HISTORY = "SELECT events FROM history WHERE id BETWEEN ? AND ? ORDER BY id"
INSERT_EXECUTION = (
    f"INSERT OR IGNORE INTO executions ({_COLUMNS}, recent_ms, state) VALUES ({'?, ' * (len(_KEPT) + 1)}?)"  # noqa: S608  names of our own
)
UPDATE_EXECUTION = f"UPDATE executions SET {' = ?, '.join(_CHANGING)} = ?, state = ? WHERE id = ?"  # noqa: S608  names of our own


def new_row(record: ExecutionRecord, state: Json) -> tuple[Any, ...]:
    """Return what INSERT_EXECUTION takes."""
    return (*[getattr(record, name) for name in _KEPT], record.recent_ms, dumps(state))


def updated_row(record: ExecutionRecord, state: Json, execution_id: int) -> tuple[Any, ...]:
    """Return what UPDATE_EXECUTION takes."""
    return (*[getattr(record, name) for name in _CHANGING], dumps(state), execution_id)


def record_of(row: Sequence[Any]) -> ExecutionRecord:
    """Return the record of a row of SELECT_RECORD."""
    values = dict(zip((*_KEPT, "input"), row, strict=True))
    values["express"] = bool(values["express"])
    return ExecutionRecord(**values)


def history_chunks(execution_id: int, history: Sequence[HistoryEvent]) -> Iterator[tuple[int, str]]:
    """Return rows of the table ``history``: each holds some events as one JSON text."""
    for start in range(0, len(history), _CHUNK):
        events = history[start : start + _CHUNK]
        rows = [(event.id, event.previous_id, event.type, event.at_ms, event.details) for event in events]
        yield (execution_id << HISTORY_BITS) + events[0].id, dumps(rows)


def history_events(chunk: str, after: int | None, *, reverse: bool) -> list[HistoryEvent]:
    """Return the events of a chunk that come after (in reverse: before) the given one, in the order asked for."""
    events = [HistoryEvent(*row) for row in loads(chunk)]
    if reverse:
        return [event for event in reversed(events) if after is None or event.id < after]
    return [event for event in events if after is None or event.id > after]
