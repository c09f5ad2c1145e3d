import subprocess
import sys
from pathlib import Path

import pytest
from django.db import IntegrityError, InterfaceError, OperationalError, connection

from lambdas.shared.runtime.database import database_errors, setup_django
from workflows.errors import DatabaseUnavailable

ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [OperationalError("the connection is lost"), InterfaceError("closed")])
def test_a_connection_error_is_transient_and_reconnects(error: Exception) -> None:
    with pytest.raises(DatabaseUnavailable, match=str(error)), database_errors():
        connection.ensure_connection()
        raise error

    assert connection.connection is None
    with database_errors(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


@pytest.mark.django_db(transaction=True)
def test_a_broken_connection_is_replaced() -> None:
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    other.close()

    with database_errors(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone()[0] != pid


@pytest.mark.django_db
def test_other_database_errors_are_raised_unchanged() -> None:
    with pytest.raises(IntegrityError), database_errors():
        raise IntegrityError("twice")


def test_django_can_be_set_up_twice() -> None:
    setup_django()
    setup_django()


def test_a_function_needs_only_the_root_on_its_path() -> None:
    code = """
from lambdas.shared.runtime.database import setup_django
setup_django()
from django.conf import settings
print(settings.SETTINGS_MODULE, "rest_framework" in settings.INSTALLED_APPS)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={}, capture_output=True, text=True, check=True)

    assert done.stdout == "config.functions False\n"
