"""A store in one SQLite file that survives a power cut (WAL, synchronous=FULL).

All writes go through one connection under a lock; a runner saves the steps of many executions in one
transaction, so that they share one wait for the disk. Every thread reads through its own connection.
A row of history has a chunk of events; its key is one number: the execution's id and the first event's id
side by side (a history has at most 25,000 events, which fit into 15 bits).
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from asl_engine.core.history import HistoryEvent
from asl_engine.errors import EngineError
from asl_engine.jsontext import Json, dumps, loads
from asl_engine.store.records import Document, ExecutionFilter, ExecutionRecord, Save, SavedExecution

_HISTORY_BITS = 15
_KNOWN_IDS = 10_000
_CHUNK = 256  # events in a row of history: few rows to read, few events to decode in vain

# The input has a table of its own: it never changes, and every update rewrites a whole row.
_KEPT = tuple(one.name for one in fields(ExecutionRecord) if one.name != "input")
_CHANGING = ("status", "stop_ms", "redrive_count", "redrive_ms", "output", "error", "cause", "recent_ms")

_COLUMNS = ", ".join(_KEPT)
_SELECT_RECORD = f"SELECT {_COLUMNS}, input FROM executions JOIN inputs ON execution_id = id"  # noqa: S608  names of our own
_SELECT_SAVED = f"SELECT {_COLUMNS}, input, id, state FROM executions JOIN inputs ON execution_id = id WHERE arn = ?"  # noqa: S608  names of our own
_SELECT_HISTORY = "SELECT events FROM history WHERE id BETWEEN ? AND ? ORDER BY id"
_INSERT_EXECUTION = (
    f"INSERT OR IGNORE INTO executions ({_COLUMNS}, recent_ms, state) VALUES ({'?, ' * (len(_KEPT) + 1)}?)"  # noqa: S608  names of our own
)
_UPDATE_EXECUTION = f"UPDATE executions SET {' = ?, '.join(_CHANGING)} = ?, state = ? WHERE id = ?"  # noqa: S608  names of our own

MIGRATIONS = (
    """
    CREATE TABLE documents (
        kind TEXT NOT NULL, parent TEXT NOT NULL, sort TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (kind, key)
    ) WITHOUT ROWID;
    CREATE INDEX documents_listed ON documents (kind, parent, sort, key);
    CREATE TABLE executions (
        id INTEGER PRIMARY KEY, arn TEXT NOT NULL UNIQUE, state_machine_arn TEXT NOT NULL, name TEXT NOT NULL,
        definition TEXT NOT NULL, start_ms INTEGER NOT NULL, version_arn TEXT, alias_arn TEXT, map_run_arn TEXT,
        trace_header TEXT, express INTEGER NOT NULL, status TEXT NOT NULL, stop_ms INTEGER,
        redrive_count INTEGER NOT NULL, redrive_ms INTEGER, output TEXT, error TEXT, cause TEXT,
        recent_ms INTEGER NOT NULL, state BLOB NOT NULL
    );
    CREATE INDEX executions_listed ON executions (state_machine_arn, recent_ms);
    CREATE INDEX executions_open ON executions (state_machine_arn) WHERE status = 'RUNNING';
    CREATE INDEX executions_of_map_run ON executions (map_run_arn, recent_ms) WHERE map_run_arn IS NOT NULL;
    CREATE TABLE inputs (execution_id INTEGER PRIMARY KEY, input TEXT NOT NULL);
    CREATE TABLE branches (
        execution_id INTEGER NOT NULL, branch_id INTEGER NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (execution_id, branch_id)
    ) WITHOUT ROWID;
    CREATE TABLE history (id INTEGER PRIMARY KEY, events BLOB NOT NULL);
    """,
)


class StoreInUse(EngineError):
    """Another process has the file open; two runners would run each execution twice."""

    def __init__(self, path: str) -> None:
        remedy = "Stop it, or give each process a file of its own."
        super().__init__(path, "another process uses this file.", remedy)


class StoreTooNew(EngineError):
    """The file was written by a newer version of the engine."""

    def __init__(self, path: str, version: int, known: int) -> None:
        problem = f"its schema has version {version}, and this engine knows up to {known}."
        super().__init__(path, problem, "Run the newer engine, or start with a new file.")


class SqliteStore:
    """A store in the file at ``path``, created if missing. Raises StoreInUse, StoreTooNew."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = str(path)
        self._claim = _claim(self._path)
        self._lock = threading.Lock()
        self._own = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._ids: dict[str, int] = {}
        self._writer = self._connect()
        try:
            _migrate(self._writer, self._path)
        except BaseException:
            self.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        # The lock, not SQLite, separates threads: close() runs in another thread than the reader.
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA busy_timeout = 10000")
        self._connections.append(connection)
        return connection

    @property
    def _reader(self) -> sqlite3.Connection:
        if not hasattr(self._own, "connection"):
            with self._lock:
                self._own.connection = self._connect()
        connection: sqlite3.Connection = self._own.connection
        return connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                self._ids.clear()
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def put_document(self, document: Document) -> None:
        """Write the document, replacing one of the same kind and key."""
        with self._writing() as connection:
            _put_documents(connection, [document])

    def document(self, kind: str, key: str) -> Document | None:
        """Return the document, or None."""
        row = self._reader.execute(
            "SELECT kind, key, body, parent, sort FROM documents WHERE kind = ? AND key = ?", (kind, key)
        ).fetchone()
        return _document(row) if row is not None else None

    def delete_document(self, kind: str, key: str) -> None:
        """Delete the document; an unknown one is ignored."""
        with self._writing() as connection:
            connection.execute("DELETE FROM documents WHERE kind = ? AND key = ?", (kind, key))

    def documents(
        self,
        kind: str,
        parent: str = "",
        *,
        after: tuple[str, str] | None = None,
        limit: int = 1000,
        descending: bool = False,
    ) -> list[Document]:
        """Return a page of a parent's documents; ``after`` is a (sort, key)."""
        sql = "SELECT kind, key, body, parent, sort FROM documents WHERE kind = ? AND parent = ?"
        arguments: list[str | int] = [kind, parent]
        if after is not None:
            sql += " AND (sort, key) < (?, ?)" if descending else " AND (sort, key) > (?, ?)"
            arguments += after
        sql += " ORDER BY sort DESC, key DESC LIMIT ?" if descending else " ORDER BY sort, key LIMIT ?"
        return [_document(row) for row in self._reader.execute(sql, [*arguments, limit])]

    def save(self, saves: Sequence[Save]) -> list[ExecutionRecord | None]:
        """Write all saves at once; return for each None, or the execution with its name.

        Nothing is written of a new execution whose ARN is taken. The name of a closed execution is free
        again after NAME_KEPT_MS; the new execution then replaces it.
        """
        with self._writing() as connection:
            taken = [self._create(connection, save) if save.is_new else None for save in saves]
            kept = [save for save, other in zip(saves, taken, strict=True) if other is None]
            self._write(connection, kept)
        return taken

    def _create(self, connection: sqlite3.Connection, save: Save) -> ExecutionRecord | None:
        record = save.record
        cursor = connection.execute(_INSERT_EXECUTION, _new_row(record, save.state))
        if not cursor.rowcount:
            row = connection.execute(f"{_SELECT_RECORD} WHERE arn = ?", (record.arn,)).fetchone()
            taken = _record_of(row)
            if not save.may_replace(taken):
                return taken
            self._delete_execution(connection, record.arn)
            cursor = connection.execute(_INSERT_EXECUTION, _new_row(record, save.state))
        execution_id = cursor.lastrowid or 0
        self._remember(record.arn, execution_id)
        connection.execute("INSERT INTO inputs VALUES (?, ?)", (execution_id, record.input))
        return None

    def _delete_execution(self, connection: sqlite3.Connection, arn: str) -> None:
        execution_id = self._id_of(connection, arn)
        first = execution_id << _HISTORY_BITS
        connection.execute("DELETE FROM history WHERE id BETWEEN ? AND ?", (first, first + (1 << _HISTORY_BITS) - 1))
        connection.execute("DELETE FROM branches WHERE execution_id = ?", (execution_id,))
        connection.execute("DELETE FROM inputs WHERE execution_id = ?", (execution_id,))
        connection.execute("DELETE FROM executions WHERE id = ?", (execution_id,))

    def _write(self, connection: sqlite3.Connection, saves: Sequence[Save]) -> None:
        updated: list[tuple[Any, ...]] = []
        history: list[tuple[int, str]] = []
        branches: list[tuple[int, int, str]] = []
        removed: list[tuple[int, int]] = []
        for save in saves:
            execution_id = self._id_of(connection, save.record.arn)
            if not save.is_new:
                updated.append(_updated_row(save.record, save.state, execution_id))
            history += _history_chunks(execution_id, save.history)
            branches += [(execution_id, branch_id, dumps(body)) for branch_id, body in save.branches]
            removed += [(execution_id, branch_id) for branch_id in save.removed]
            if save.documents:
                _put_documents(connection, save.documents)
        for sql, rows in (
            (_UPDATE_EXECUTION, updated),
            ("INSERT INTO history VALUES (?, ?)", history),
            ("INSERT OR REPLACE INTO branches VALUES (?, ?, ?)", branches),
            ("DELETE FROM branches WHERE execution_id = ? AND branch_id = ?", removed),
        ):
            if rows:
                connection.executemany(sql, rows)

    def _id_of(self, connection: sqlite3.Connection, arn: str) -> int:
        known = self._ids.get(arn)
        if known is None:
            (known,) = connection.execute("SELECT id FROM executions WHERE arn = ?", (arn,)).fetchone()
            self._remember(arn, known)
        return int(known)

    def _remember(self, arn: str, execution_id: int) -> None:
        if len(self._ids) >= _KNOWN_IDS:
            self._ids.clear()
        self._ids[arn] = execution_id

    def execution(self, arn: str) -> ExecutionRecord | None:
        """Return the execution's record, or None."""
        row = self._reader.execute(f"{_SELECT_RECORD} WHERE arn = ?", (arn,)).fetchone()
        return _record_of(row) if row is not None else None

    def load(self, arn: str) -> SavedExecution | None:
        """Return everything needed to continue an execution, or None."""
        reader = self._reader
        reader.execute("BEGIN")  # one moment for both reads
        try:
            row = reader.execute(_SELECT_SAVED, (arn,)).fetchone()
            if row is None:
                return None
            *record, execution_id, state = row
            rows = reader.execute("SELECT branch_id, body FROM branches WHERE execution_id = ?", (execution_id,))
            return SavedExecution(_record_of(record), loads(state), {number: loads(body) for number, body in rows})
        finally:
            reader.execute("COMMIT")

    def load_open(self) -> Iterator[str]:
        """Iterate over the ARNs of running executions, oldest first."""
        # The index of open executions is not in their order: sort the ids alone in memory.
        ids = sorted(self._reader.execute("SELECT id FROM executions WHERE status = 'RUNNING'"))
        for (number,) in ids:
            (arn,) = self._reader.execute("SELECT arn FROM executions WHERE id = ?", (number,)).fetchone()
            yield arn

    def closed_recently(self, within_ms: int) -> list[ExecutionRecord]:
        """Return the executions closed at most this long before the last start or end."""
        # Called once, at the start: one full scan is cheaper than updating an index at every end.
        last = "(SELECT max(max(recent_ms, coalesce(stop_ms, 0))) FROM executions)"
        sql = f"{_SELECT_RECORD} WHERE status != 'RUNNING' AND stop_ms >= {last} - ? ORDER BY stop_ms, arn"
        return [_record_of(row) for row in self._reader.execute(sql, (within_ms,))]

    def count_open(self, state_machine_arn: str) -> int:
        """Return the number of running executions of the machine."""
        sql = "SELECT count(*) FROM executions WHERE state_machine_arn = ? AND status = 'RUNNING'"
        (count,) = self._reader.execute(sql, (state_machine_arn,)).fetchone()
        return int(count)

    def executions(
        self, where: ExecutionFilter, *, after: tuple[int, str] | None = None, limit: int = 1000
    ) -> list[ExecutionRecord]:
        """Return a page, most recent first; ``after`` is a (recent_ms, arn)."""
        terms, arguments = _terms(where)
        if after is not None:
            terms.append("(recent_ms < ? OR (recent_ms = ? AND arn > ?))")
            arguments += [after[0], after[0], after[1]]
        sql = f"{_SELECT_RECORD} WHERE {' AND '.join(terms) or '1'} ORDER BY recent_ms DESC, arn LIMIT ?"
        return [_record_of(row) for row in self._reader.execute(sql, [*arguments, limit])]

    def history(
        self, arn: str, *, after: int | None = None, limit: int = 1000, reverse: bool = False
    ) -> list[HistoryEvent]:
        """Return a page of the history; ``after`` is an event id."""
        found = self._reader.execute("SELECT id FROM executions WHERE arn = ?", (arn,)).fetchone()
        if found is None:
            return []
        first = found[0] << _HISTORY_BITS
        last = first + (1 << _HISTORY_BITS) - 1
        if reverse:
            end = last if after is None else first + after - 1
            rows = self._reader.execute(f"{_SELECT_HISTORY} DESC", (first, end))
        else:
            start = self._chunk_with(first, (after or 0) + 1)
            rows = self._reader.execute(_SELECT_HISTORY, (start, last))
        events: list[HistoryEvent] = []
        for (chunk,) in rows:
            events += _history_events(chunk, after, reverse=reverse)
            if len(events) >= limit:
                break
        return events[:limit]

    def _chunk_with(self, first: int, event_id: int) -> int:
        """Return the key of the chunk that contains the event, or would contain it."""
        sql = "SELECT max(id) FROM history WHERE id BETWEEN ? AND ?"
        (found,) = self._reader.execute(sql, (first, first + event_id)).fetchone()
        return first if found is None else int(found)

    def history_length(self, arn: str) -> int:
        """Return the number of events in the history."""
        last = self.history(arn, limit=1, reverse=True)
        return last[0].id if last else 0

    def close(self) -> None:
        """Close every connection and unlock the file."""
        with self._lock:
            for connection in self._connections:
                connection.close()
            os.close(self._claim)


def _claim(path: str) -> int:
    """Lock a file beside the database for the life of this process."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(f"{path}-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise StoreInUse(path) from None
    return descriptor


def _terms(where: ExecutionFilter) -> tuple[list[str], list[str | int]]:
    columns = ("state_machine_arn", "version_arn", "alias_arn", "map_run_arn", "status")
    given = {column: getattr(where, column) for column in columns if getattr(where, column) is not None}
    terms = [f"{column} = ?" for column in given]
    if where.redriven is not None:
        terms.append("redrive_count > 0" if where.redriven else "redrive_count = 0")
    return terms, list(given.values())


def _put_documents(connection: sqlite3.Connection, documents: Sequence[Document]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO documents (kind, key, body, parent, sort) VALUES (?, ?, ?, ?, ?)",
        [(one.kind, one.key, dumps(one.body), one.parent, one.sort) for one in documents],
    )


def _document(row: tuple[str, str, str, str, str]) -> Document:
    kind, key, body, parent, sort = row
    return Document(kind, key, loads(body), parent, sort)


def _migrate(connection: sqlite3.Connection, path: str) -> None:
    """Migrate the file to the newest tables. Raises StoreTooNew."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StoreTooNew(path, version, len(MIGRATIONS))
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")


def _new_row(record: ExecutionRecord, state: Json) -> tuple[Any, ...]:
    return (*[getattr(record, name) for name in _KEPT], record.recent_ms, dumps(state))


def _updated_row(record: ExecutionRecord, state: Json, execution_id: int) -> tuple[Any, ...]:
    return (*[getattr(record, name) for name in _CHANGING], dumps(state), execution_id)


def _record_of(row: Sequence[Any]) -> ExecutionRecord:
    values = dict(zip((*_KEPT, "input"), row, strict=True))
    values["express"] = bool(values["express"])
    return ExecutionRecord(**values)


def _history_chunks(execution_id: int, history: Sequence[HistoryEvent]) -> Iterator[tuple[int, str]]:
    """Yield rows of the table ``history``, each a chunk of events."""
    for start in range(0, len(history), _CHUNK):
        events = history[start : start + _CHUNK]
        rows = [(event.id, event.previous_id, event.type, event.at_ms, event.details) for event in events]
        yield (execution_id << _HISTORY_BITS) + events[0].id, dumps(rows)


def _history_events(chunk: str, after: int | None, *, reverse: bool) -> list[HistoryEvent]:
    """Return the events of a chunk after (in reverse, before) the given one."""
    events = [HistoryEvent(*row) for row in loads(chunk)]
    if reverse:
        return [event for event in reversed(events) if after is None or event.id < after]
    return [event for event in events if after is None or event.id > after]
