"""Trouble made on purpose in the local stack's PostgreSQL, and mended: for the demo and the tests.

While it lasts PostgreSQL refuses to change the row of a file whose name begins with ``MARK``: "Record Report"
of that report fails, whatever is tried again, and goes well once the trouble is mended.
"""

from typing import Any

import psycopg

MARK = "refused-until-mended"
ERROR = "ProgrammingError"  # Django's name of what a trigger raises

_REFUSE = f"""
CREATE FUNCTION refuse_file() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION '% is refused on purpose. Drop the trigger refused_until_mended.', NEW.name; END $$;
CREATE TRIGGER refused_until_mended BEFORE UPDATE ON reports_reportfile
  FOR EACH ROW WHEN (NEW.name LIKE '{MARK}%') EXECUTE FUNCTION refuse_file();
"""
_MEND = """
DROP TRIGGER IF EXISTS refused_until_mended ON reports_reportfile;
DROP FUNCTION IF EXISTS refuse_file();
"""


def refuse_files(database_url: str) -> None:
    """Begin with the trouble. Safe to repeat."""
    _execute(database_url, _MEND + _REFUSE)


def mend(database_url: str) -> None:
    """End the trouble. Safe to repeat."""
    _execute(database_url, _MEND)


def _execute(database_url: str, statements: Any) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(statements)
