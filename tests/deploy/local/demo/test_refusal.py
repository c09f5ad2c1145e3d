"""Trouble that is made on purpose is met by the marked files alone, and ends."""

from collections.abc import Iterator

import psycopg
import pytest

from deploy.local.demo.refusal import MARK, accept_files, refuse_files
from deploy.local.postgres import Postgres


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    """A database with files in it, apart from those of Django's tests."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE reports_reportfile (name text, status text)")
        connection.execute("INSERT INTO reports_reportfile (name) VALUES (%s), ('door.jpg')", [f"{MARK}.jpg"])
        yield postgres.url
        connection.execute("DROP TABLE reports_reportfile")


def change(url: str, name: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE reports_reportfile SET status = 'accepted' WHERE name = %s", [name])


def test_a_marked_file_is_refused_until_it_is_fixed_and_any_other_never(url: str) -> None:
    refuse_files(url)
    refuse_files(url)
    change(url, "door.jpg")
    with pytest.raises(psycopg.errors.RaiseException, match=rf"{MARK}\.jpg is refused on purpose"):
        change(url, f"{MARK}.jpg")

    accept_files(url)
    accept_files(url)

    change(url, f"{MARK}.jpg")
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT DISTINCT status FROM reports_reportfile").fetchall() == [("accepted",)]
