"""The tables of the SQLite store, version by version.

The rows of a history are kept in chunks of many events, whose key is one number: the execution's id and
the first event's id side by side (a history has at most 25,000 events, so 15 bits hold one).
"""

import sqlite3

from asl_engine.errors import EngineError

HISTORY_BITS = 15

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


class StoreTooNew(EngineError):
    """The file was written by a newer version of the engine."""

    def __init__(self, path: str, version: int, known: int) -> None:
        problem = f"its schema has version {version}, and this engine knows up to {known}."
        super().__init__(path, problem, "Run the newer engine, or start with a new file.")


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Bring the file's tables up to date. Raises StoreTooNew."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StoreTooNew(path, version, len(MIGRATIONS))
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")
