import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types
import psycopg
import pytest

from deploy.local.postgres import Postgres, socket_dir_of, start_postgres


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder outside pytest's, which every start of another pytest closes to PostgreSQL's account."""
    with tempfile.TemporaryDirectory(prefix="qu-test-data-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture
def data_dir(folder: Path) -> Iterator[Path]:
    yield folder / "postgres"
    Postgres(folder / "postgres", socket_dir_of(folder / "postgres")).stop()


def _pid(server: Postgres) -> int:
    return int((server.data_dir / "postmaster.pid").read_text().split()[0])


def _wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 5
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_committed_data_survives_a_stop_and_a_kill(data_dir: Path) -> None:
    server = start_postgres(data_dir)
    with psycopg.connect(server.url) as connection:
        connection.execute("create table kept (id int)")
        connection.execute("insert into kept values (1)")
    server.stop()
    server = start_postgres(data_dir)
    with psycopg.connect(server.url) as connection:
        connection.execute("insert into kept values (2)")

    pid = _pid(server)
    os.kill(pid, signal.SIGKILL)
    _wait_for_end(pid)
    server = start_postgres(data_dir)

    with psycopg.connect(server.url) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (2,)


def test_a_pid_file_with_another_programs_pid_does_not_block_a_start(data_dir: Path) -> None:
    server = start_postgres(data_dir, durable=False)
    pid_file = server.data_dir / "postmaster.pid"
    left_behind = pid_file.read_text().replace(str(_pid(server)), str(os.getppid()), 1)
    server.stop()
    pid_file.write_text(left_behind)

    server = start_postgres(data_dir, durable=False)

    with psycopg.connect(server.url) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_a_running_server_is_adopted_and_ends_at_its_first_stop(data_dir: Path) -> None:
    first, second = start_postgres(data_dir, durable=False), start_postgres(data_dir, durable=False)
    pid = _pid(first)

    assert _pid(second) == pid
    second.stop()
    first.stop()

    _wait_for_end(pid)


def test_a_data_folder_with_a_long_path_works(folder: Path) -> None:
    deep = folder / ("d" * 60) / ("e" * 60)
    server = start_postgres(deep, durable=False)
    try:
        with psycopg.connect(server.url) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    finally:
        server.stop()
    assert not server.socket_dir.exists()
