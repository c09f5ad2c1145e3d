"""Trouble made on purpose in the local stack's PostgreSQL, and fixed.

While it lasts PostgreSQL refuses to change the row of a file whose name begins with ``MARK``: "Record Report"
of that report fails, whatever is tried again, and goes well once the trouble is fixed.
"""

from typing import Any

import psycopg

MARK = "refused-until-fixed"
ERROR = "ProgrammingError"  # Django's name of what a trigger raises

_REFUSE = f"""
CREATE FUNCTION refuse_file() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION '% is refused on purpose. Drop the trigger refused_until_fixed.', NEW.name; END $$;
CREATE TRIGGER refused_until_fixed BEFORE UPDATE ON reports_reportfile
  FOR EACH ROW WHEN (NEW.name LIKE '{MARK}%') EXECUTE FUNCTION refuse_file();
"""
_RESTORE = """
DROP TRIGGER IF EXISTS refused_until_fixed ON reports_reportfile;
DROP FUNCTION IF EXISTS refuse_file();
"""


def refuse_files(database_url: str) -> None:
    """Begin with the trouble. Safe to repeat."""
    _execute(database_url, _RESTORE + _REFUSE)


def accept_files(database_url: str) -> None:
    """End the trouble. Safe to repeat."""
    _execute(database_url, _RESTORE)


def _execute(database_url: str, statements: Any) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(statements)
