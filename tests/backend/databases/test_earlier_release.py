"""Databases of an earlier release, migrated in place."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from deploy.local.postgres import Postgres, database_url

type Rows = dict[str, list[tuple[object, ...]]]

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
# Django itself adds rows to these for models that came after the release.
ADDED_TO = {"django_migrations", "django_content_type", "auth_permission"}


def manage(url: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "backend/manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows_of(connection: "sqlite3.Connection | psycopg.Connection[tuple[object, ...]]", tables: str) -> Rows:
    names = sorted(str(name) for (name,) in connection.execute(tables).fetchall())
    rows = {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in names}  # noqa: S608  names of its own tables
    return {name: sorted(found, key=repr) for name, found in rows.items()}


def check(before: Rows, after: Rows) -> None:
    assert len(before["executions_taskrecord"]) == 7
    assert all(before[name] for name in before if name.startswith(("core_", "reports_", "executions_")))
    for name, rows in before.items():
        if name in ADDED_TO:
            assert set(rows) <= set(after[name]), name
        else:
            columns = len(rows[0]) if rows else 0  # a later release may have more
            assert rows == sorted((row[:columns] for row in after[name]), key=repr), name


def schema_of(url: str) -> list[object]:
    """Return columns, indexes and constraints, whatever order they were made in."""
    queries = (
        "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns"
        " WHERE table_schema = 'public'",
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype IN ('c', 'u', 'p')",
    )
    with psycopg.connect(url) as connection:
        return sorted((row for query in queries for row in connection.execute(query).fetchall()), key=repr)


@contextmanager
def new_database(postgres: Postgres, name: str) -> Iterator[str]:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield database_url(postgres.socket_dir, name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """An empty database of the run's PostgreSQL."""
    with new_database(postgres, "earlier_release") as url:
        yield url


def test_a_sqlite_database_keeps_every_row(tmp_path: Path) -> None:
    file = tmp_path / "db.sqlite3"
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    connection = sqlite3.connect(file)
    connection.executescript((HERE / "sqlite.sql").read_text(encoding="utf-8"))
    before = rows_of(connection, tables)
    connection.close()

    manage(f"sqlite:///{file}", "migrate", "--verbosity", "0")

    connection = sqlite3.connect(file)
    check(before, rows_of(connection, tables))
    connection.close()
    assert "0193" in manage(f"sqlite:///{file}", "executions", "list")


def test_a_postgresql_database_keeps_its_rows_and_gets_todays_schema(database: str, postgres: Postgres) -> None:
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    with psycopg.connect(database) as connection:
        connection.execute((HERE / "postgresql.sql").read_bytes())
    with psycopg.connect(database) as connection:
        before = rows_of(connection, tables)

    manage(database, "migrate", "--verbosity", "0")

    with psycopg.connect(database) as connection:
        check(before, rows_of(connection, tables))
    assert "0193" in manage(database, "executions", "list")
    with new_database(postgres, "new_release") as url:
        manage(url, "migrate", "--verbosity", "0")
        assert schema_of(database) == schema_of(url)
