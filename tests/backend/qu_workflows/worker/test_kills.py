"""A worker that is killed at random moments while it runs tasks."""

import os
import random
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection
from pytest_django import Settings

from common.tasks import send_notification_email
from deploy.local.postgres import Postgres, database_url
from qu_workflows.records.models import TaskRecord, TaskStatus

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[4]
SCRIPT = Path(__file__).with_name("logged_worker.py")


@contextmanager
def worker(folder: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker in a process of its own, and kill it at the end."""
    with (folder / "output").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, SCRIPT, folder / "log", folder / "executions.sqlite3"],
            env={**os.environ, "DATABASE_URL": url, "PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=output,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def calls(folder: Path) -> list[list[str]]:
    """Return the calls of steps so far, in order: step, task, process."""
    log = folder / "log"
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


def wait_for_calls(folder: Path, number: int, process: "subprocess.Popen[bytes]") -> None:
    """Return once the worker has begun some more steps."""
    begun, until = len(calls(folder)), time.monotonic() + 30
    while len(calls(folder)) < begun + number:
        assert process.poll() is None, (folder / "output").read_text()[-2000:]
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("tasks", "kills"), [(200, 3), pytest.param(2000, 30, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_killed_workers_lose_no_task_and_repeat_no_finished_step(
    tasks: int, kills: int, settings: Settings, postgres: Postgres, tmp_path: Path
) -> None:
    settings.USE_ASYNC_TASKS, settings.WORKFLOW_ENGINE = True, "worker"
    url = database_url(postgres.socket_dir, str(connection.settings_dict["NAME"]))
    moments = random.Random(15)  # noqa: S311  moments to kill at, repeatable
    ended: list[tuple[set[str], int]] = []
    (tmp_path / "effects").mkdir()
    for number in range(tasks):
        send_notification_email.enqueue(user_id=number + 1, subject="Hello", template_name="emails/welcome.html")

    for _ in range(kills):
        with worker(tmp_path, url) as process:
            wait_for_calls(tmp_path, moments.randint(1, tasks // kills), process)
            time.sleep(moments.random() / 50)
        recorded, seen = succeeded(), len(calls(tmp_path))
        ended.append((recorded, seen))
    with worker(tmp_path, url):
        until = time.monotonic() + 60
        while len(succeeded()) < tasks and time.monotonic() < until:
            time.sleep(0.05)

    assert len(succeeded()) == tasks
    assert len(list((tmp_path / "effects").iterdir())) == tasks
    called = calls(tmp_path)
    assert_order_is_kept(called)
    assert any(recorded for recorded, _ in ended)
    for recorded, seen in ended:
        assert not recorded & {task for _, task, _ in called[seen:]}


def succeeded() -> set[str]:
    """Return the tasks recorded as SUCCEEDED, without runs of schedules."""
    return set(TaskRecord.objects.filter(status=TaskStatus.SUCCEEDED, schedule="").values_list("id", flat=True))


def assert_order_is_kept(called: list[list[str]]) -> None:
    """Check that each process calls a step once, and never after the next one."""
    assert max(Counter(map(tuple, called)).values()) == 1
    by_task: dict[str, list[str]] = defaultdict(list)
    for step, task, _ in called:
        by_task[task].append(step)
    assert all(steps == sorted(steps) for steps in by_task.values())  # render_email is before send_email
