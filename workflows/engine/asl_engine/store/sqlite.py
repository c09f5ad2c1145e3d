"""A store in one SQLite file: what was saved survives ``kill -9`` and a power cut (WAL, synchronous=FULL).

All writing goes through one connection under a lock; a runner saves the steps of many executions in one
transaction, so that they share one wait for the disk. Every thread reads through a connection of its own.
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from asl_engine.core.history import HistoryEvent
from asl_engine.errors import EngineError
from asl_engine.jsontext import dumps, loads
from asl_engine.store.contract import Document, ExecutionFilter, ExecutionRecord, Save, SavedExecution
from asl_engine.store.rows import (
    INSERT_EXECUTION,
    SELECT_HISTORY,
    SELECT_RECORD,
    SELECT_SAVED,
    UPDATE_EXECUTION,
    history_chunks,
    history_events,
    new_row,
    record_of,
    updated_row,
)
from asl_engine.store.schema import HISTORY_BITS, migrate

_OPEN_PAGE = 1000
_KNOWN_IDS = 10_000


class StoreInUse(EngineError):
    """Another process has the file open: two runners would run each execution twice."""

    def __init__(self, path: str) -> None:
        remedy = "Stop it, or give each process a file of its own."
        super().__init__(path, "another process uses this file.", remedy)


class SqliteStore:
    """Keeps everything in the file at ``path``, which is made if it is not there. Raises StoreInUse, StoreTooNew."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = str(path)
        self._claim = _claim(self._path)
        self._lock = threading.Lock()
        self._own = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._ids: dict[str, int] = {}
        self._writer = self._connect()
        try:
            migrate(self._writer, self._path)
        except BaseException:
            self.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        # The lock, not SQLite, keeps threads apart: closing happens in another thread than the reader's.
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
        """Write the document, over one of the same kind and key."""
        with self._writing() as connection:
            _put_documents(connection, [document])

    def document(self, kind: str, key: str) -> Document | None:
        """Return the document, or None."""
        row = self._reader.execute(
            "SELECT kind, key, body, parent, sort FROM documents WHERE kind = ? AND key = ?", (kind, key)
        ).fetchone()
        return _document(row) if row is not None else None

    def delete_document(self, kind: str, key: str) -> bool:
        """Delete the document; return whether it was there."""
        with self._writing() as connection:
            return connection.execute("DELETE FROM documents WHERE kind = ? AND key = ?", (kind, key)).rowcount > 0

    def documents(
        self,
        kind: str,
        parent: str = "",
        *,
        after: tuple[str, str] | None = None,
        limit: int = 1000,
        descending: bool = False,
    ) -> list[Document]:
        """Return a page of the documents of a parent; ``after`` is the (sort, key) of the last one seen."""
        sql = "SELECT kind, key, body, parent, sort FROM documents WHERE kind = ? AND parent = ?"
        arguments: list[str | int] = [kind, parent]
        if after is not None:
            sql += " AND (sort, key) < (?, ?)" if descending else " AND (sort, key) > (?, ?)"
            arguments += after
        sql += " ORDER BY sort DESC, key DESC LIMIT ?" if descending else " ORDER BY sort, key LIMIT ?"
        return [_document(row) for row in self._reader.execute(sql, [*arguments, limit])]

    def save(self, saves: Sequence[Save]) -> list[ExecutionRecord | None]:
        """Write all of it in one transaction. Returns for each save None, or the execution that has its name."""
        with self._writing() as connection:
            taken = [self._create(connection, save) if save.is_new else None for save in saves]
            kept = [save for save, other in zip(saves, taken, strict=True) if other is None]
            self._write(connection, kept)
        return taken

    def _create(self, connection: sqlite3.Connection, save: Save) -> ExecutionRecord | None:
        record = save.record
        cursor = connection.execute(INSERT_EXECUTION, new_row(record, save.state))
        if not cursor.rowcount:
            row = connection.execute(f"{SELECT_RECORD} WHERE arn = ?", (record.arn,)).fetchone()
            taken = record_of(row)
            if not save.may_replace(taken):
                return taken
            self._delete_execution(connection, record.arn)
            cursor = connection.execute(INSERT_EXECUTION, new_row(record, save.state))
        execution_id = cursor.lastrowid or 0
        self._remember(record.arn, execution_id)
        connection.execute("INSERT INTO inputs VALUES (?, ?)", (execution_id, record.input))
        return None

    def _delete_execution(self, connection: sqlite3.Connection, arn: str) -> None:
        execution_id = self._id_of(connection, arn)
        first = execution_id << HISTORY_BITS
        connection.execute("DELETE FROM history WHERE id BETWEEN ? AND ?", (first, first + (1 << HISTORY_BITS) - 1))
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
                updated.append(updated_row(save.record, save.state, execution_id))
            history += history_chunks(execution_id, save.history)
            branches += [(execution_id, branch_id, dumps(body)) for branch_id, body in save.branches]
            removed += [(execution_id, branch_id) for branch_id in save.removed]
            if save.documents:
                _put_documents(connection, save.documents)
        for sql, rows in (
            (UPDATE_EXECUTION, updated),
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
        row = self._reader.execute(f"{SELECT_RECORD} WHERE arn = ?", (arn,)).fetchone()
        return record_of(row) if row is not None else None

    def load(self, arn: str) -> SavedExecution | None:
        """Return what is needed to go on with an execution, or None."""
        reader = self._reader
        reader.execute("BEGIN")  # one moment for both reads
        try:
            row = reader.execute(SELECT_SAVED, (arn,)).fetchone()
            if row is None:
                return None
            *record, execution_id, state = row
            rows = reader.execute("SELECT branch_id, body FROM branches WHERE execution_id = ?", (execution_id,))
            return SavedExecution(record_of(record), loads(state), {number: loads(body) for number, body in rows})
        finally:
            reader.execute("COMMIT")

    def load_open(self) -> Iterator[str]:
        """Iterate over the ARNs of the executions that run, the oldest first."""
        # The index of open executions is not in their order, so the ids are all that is held in memory.
        ids = sorted(self._reader.execute("SELECT id FROM executions WHERE status = 'RUNNING'"))
        for (number,) in ids:
            (arn,) = self._reader.execute("SELECT arn FROM executions WHERE id = ?", (number,)).fetchone()
            yield arn

    def closed_of_late(self, within_ms: int) -> list[ExecutionRecord]:
        """Return the executions that closed at most so long before the last start or end of any, the oldest first."""
        # Asked once, at the start: a look through all executions is cheaper than an index at every end.
        last = "(SELECT max(max(recent_ms, coalesce(stop_ms, 0))) FROM executions)"
        sql = f"{SELECT_RECORD} WHERE status != 'RUNNING' AND stop_ms >= {last} - ? ORDER BY stop_ms, arn"
        return [record_of(row) for row in self._reader.execute(sql, (within_ms,))]

    def count_open(self, state_machine_arn: str) -> int:
        """Return how many executions of the machine run."""
        sql = "SELECT count(*) FROM executions WHERE state_machine_arn = ? AND status = 'RUNNING'"
        (count,) = self._reader.execute(sql, (state_machine_arn,)).fetchone()
        return int(count)

    def executions(
        self, where: ExecutionFilter, *, after: tuple[int, str] | None = None, limit: int = 1000
    ) -> list[ExecutionRecord]:
        """Return a page, the most recent first; ``after`` is the (recent_ms, arn) of the last one seen."""
        terms, arguments = _terms(where)
        if after is not None:
            terms.append("(recent_ms < ? OR (recent_ms = ? AND arn > ?))")
            arguments += [after[0], after[0], after[1]]
        sql = f"{SELECT_RECORD} WHERE {' AND '.join(terms) or '1'} ORDER BY recent_ms DESC, arn LIMIT ?"
        return [record_of(row) for row in self._reader.execute(sql, [*arguments, limit])]

    def history(
        self, arn: str, *, after: int | None = None, limit: int = 1000, reverse: bool = False
    ) -> list[HistoryEvent]:
        """Return a page of the history; ``after`` is the id of the last event seen."""
        found = self._reader.execute("SELECT id FROM executions WHERE arn = ?", (arn,)).fetchone()
        if found is None:
            return []
        first = found[0] << HISTORY_BITS
        last = first + (1 << HISTORY_BITS) - 1
        if reverse:
            end = last if after is None else first + after - 1
            rows = self._reader.execute(f"{SELECT_HISTORY} DESC", (first, end))
        else:
            start = self._chunk_with(first, (after or 0) + 1)
            rows = self._reader.execute(SELECT_HISTORY, (start, last))
        events: list[HistoryEvent] = []
        for (chunk,) in rows:
            events += history_events(chunk, after, reverse=reverse)
            if len(events) >= limit:
                break
        return events[:limit]

    def _chunk_with(self, first: int, event_id: int) -> int:
        """Return the key of the chunk that has the event, or would have it."""
        sql = "SELECT max(id) FROM history WHERE id BETWEEN ? AND ?"
        (found,) = self._reader.execute(sql, (first, first + event_id)).fetchone()
        return first if found is None else int(found)

    def history_length(self, arn: str) -> int:
        """Return how many events the history has."""
        last = self.history(arn, limit=1, reverse=True)
        return last[0].id if last else 0

    def close(self) -> None:
        """Close every connection and let another process have the file."""
        with self._lock:
            for connection in self._connections:
                connection.close()
            os.close(self._claim)


def _claim(path: str) -> int:
    """Lock a file beside the database for as long as this process lives."""
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
