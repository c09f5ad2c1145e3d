"""Environment of the test run, and a PostgreSQL started on first use.

The environment is set before Django reads its settings, so this module is where Django is set up.
Nothing here reaches out: the credentials are made up, and only moto or a local server answers.
"""

import os
import shutil
import tempfile
from pathlib import Path

import hypothesis
import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from deploy.local.postgres import Postgres, database_url, socket_dir_of, start_postgres

_PREFIX = "qu-test-postgres-"
_DATA_DIR_VARIABLE = "QU_TEST_POSTGRES_DATA_DIR"
# Set by the process that began the run; the workers of xdist inherit it and so share one server.
_IS_FIRST_PROCESS = _DATA_DIR_VARIABLE not in os.environ
_DATA_DIR = Path(os.environ.setdefault(_DATA_DIR_VARIABLE, f"{tempfile.gettempdir()}/{_PREFIX}{os.getpid()}/data"))


def _set_environment() -> None:
    for name in list(os.environ):
        if name.startswith(("AWS_", "DJANGO_", "USE_ASYNC_TASKS", "TASK_")):
            del os.environ[name]  # a developer's shell must not change a test
    os.environ.update(
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",
        AWS_DEFAULT_REGION="us-east-2",
        AWS_REGION="us-east-2",
        AWS_EC2_METADATA_DISABLED="true",
        DATABASE_URL=database_url(socket_dir_of(_DATA_DIR)),
        DATABASE_CONN_MAX_AGE_SECONDS="0",
        DJANGO_SETTINGS_MODULE="config.settings",
        POWERTOOLS_DEV="false",
        POWERTOOLS_LOG_LEVEL="INFO",
        POWERTOOLS_METRICS_DISABLED="true",
        POWERTOOLS_SERVICE_NAME="tests",
        POWERTOOLS_TRACE_DISABLED="true",
        TASK_SEND_IN_BACKGROUND="False",
    )


_set_environment()

import django  # noqa: E402  settings are read on set-up, after the environment is what it must be

django.setup()


# A busy machine is no bug: only tests about time measure it, and they say so.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


def pytest_configure() -> None:
    """Remove the leftovers of a killed run."""
    if _IS_FIRST_PROCESS:
        for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            if not psutil.pid_exists(int(left.name.removeprefix(_PREFIX))):
                _remove_server(left / "data")


def pytest_unconfigure() -> None:
    """Stop the server that the tests of every worker shared."""
    if _IS_FIRST_PROCESS:
        _remove_server(_DATA_DIR)


def _remove_server(data_dir: Path) -> None:
    if data_dir.exists():
        Postgres(data_dir, socket_dir_of(data_dir)).stop()
    shutil.rmtree(data_dir.parent, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Postgres:
    """The PostgreSQL of this run, started by the first test that needs it."""
    return start_postgres(_DATA_DIR, durable=False)


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Keep the test databases: they are removed with their server."""
    return True


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,
    postgres: Postgres,
) -> None:
    """Have PostgreSQL running before pytest-django creates the test database."""
