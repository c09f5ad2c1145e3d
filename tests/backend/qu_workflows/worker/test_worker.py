"""The worker on PostgreSQL, with steps of the test's own behind the project's state machines."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import timezone
from pytest_django import Settings

from asl_engine import StoreInUse
from common.tasks import custom_processing, send_notification_email
from qu_workflows.aws import clients as aws
from qu_workflows.executions.redriving import redrive_token
from qu_workflows.executions.services import redrive_one, restart_one, stop_one
from qu_workflows.executions.step_functions import history_of
from qu_workflows.protocol import project
from qu_workflows.protocol.definitions import functions_of
from qu_workflows.protocol.schedule import Schedule
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.schedules import services as schedules
from qu_workflows.tasks.checks import check_settings
from qu_workflows.worker.firing import Scheduler, latest_run
from qu_workflows.worker.worker import Worker, WorkerRefused
from tests.backend.qu_workflows.projects import declare_schedules
from workflows.errors import EmailRefused
from workflows.project import PROJECT

pytestmark = pytest.mark.django_db(transaction=True)

MAIL = {"user_id": 1, "subject": "Hello", "template_name": "emails/welcome.html"}


class Steps:
    """Handlers that count their calls; ``broken`` names those that fail."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.broken: set[str] = set()
        self.held = threading.Event()
        self.held.set()

    def handlers(self) -> Mapping[str, Callable[[Any, Any], Any]]:
        names = {name for workflow in PROJECT.workflows for name in functions_of(workflow)} - {"run_task"}
        return {name: self._handler(name) for name in names}

    def _handler(self, name: str) -> Callable[[Any, Any], Any]:
        def handle(_event: Any, _context: Any) -> Any:
            self.calls[name] += 1
            assert self.held.wait(10)
            if name in self.broken:
                raise EmailRefused(name, "was refused.", "Correct the address.")
            return {"email_key": "e", "send_once_key": "s", "status": "sent", "message_id": "m"}

        return handle


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    found = Steps()
    monkeypatch.setattr(project, "_steps", [project.Steps(found.handlers)])
    return found


@pytest.fixture(autouse=True)
def _on_worker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.USE_ASYNC_TASKS, settings.WORKFLOW_ENGINE = True, "worker"
    # The threads of the steps end with the process, and their connections with them.
    monkeypatch.setattr("qu_workflows.worker.steps.close_old_connections", connections.close_all)
    declare_schedules(monkeypatch)


@contextmanager
def running(database: Path, settings: Settings) -> Iterator[Worker]:
    """Run a worker in a thread, with the clients set to its API."""
    worker, stop = Worker(database, 4), threading.Event()
    settings.WORKER_ADDRESS = worker.open("127.0.0.1", 0).removeprefix("http://")
    aws.forget_clients()
    thread = threading.Thread(target=worker.run, args=[stop])
    thread.start()
    try:
        yield worker
    finally:
        stop.set()
        thread.join()
        worker.close()


def ended(task_id: str, *statuses: str, seconds: float = 20) -> TaskRecord:
    """Return a task's record once its status is final, or one of those given."""
    wanted = statuses or (TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.ABORTED, TaskStatus.TIMED_OUT)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        record = TaskRecord.objects.get(pk=task_id)
        if record.status in wanted:
            return record
        time.sleep(0.02)
    raise AssertionError(f"{record.status} {record.error} {record.cause}")


@pytest.mark.usefixtures("steps")
def test_a_task_of_one_step_runs_and_keeps_its_value(settings: Settings, tmp_path: Path) -> None:
    with running(tmp_path / "executions.sqlite3", settings):
        result = custom_processing.enqueue(data="abc")
        record = ended(result.id)

    assert (record.status, (record.result or {})["size_bytes"]) == (TaskStatus.SUCCEEDED, 3)
    assert record.finished_at is not None


@pytest.mark.usefixtures("steps")
def test_a_task_recorded_while_no_worker_ran_is_run_later(settings: Settings, tmp_path: Path) -> None:
    result = custom_processing.enqueue(data="abc")
    assert TaskRecord.objects.get().status == TaskStatus.READY

    with running(tmp_path / "executions.sqlite3", settings):
        assert ended(result.id).status == TaskStatus.SUCCEEDED


@pytest.mark.usefixtures("steps")
def test_a_task_with_a_delay_waits_for_its_time(settings: Settings, tmp_path: Path) -> None:
    later = custom_processing.using(run_after=timezone.now() + timedelta(seconds=1)).enqueue(data="abc")

    with running(tmp_path / "executions.sqlite3", settings):
        record = ended(later.id)

    assert record.run_after is not None
    assert record.started_at is not None
    assert record.started_at >= record.run_after


def test_a_failed_workflow_is_redriven_from_the_failed_step(steps: Steps, settings: Settings, tmp_path: Path) -> None:
    steps.broken.add("send_email")
    with running(tmp_path / "executions.sqlite3", settings):
        record = ended(send_notification_email.enqueue(**MAIL).id)
        assert (record.status, record.error) == (TaskStatus.FAILED, "EmailRefused")
        steps.broken.clear()

        redrive_one(record, "tests", redrive_token(record))
        record = ended(record.pk, TaskStatus.SUCCEEDED)

        assert record.redrive_count == 1
        assert steps.calls["render_email"] == 1
        assert [entry.name for entry in history_of(record.execution_arn).entries] == ["Render Email", "Send Email"]


def test_an_execution_is_stopped_and_restarted(steps: Steps, settings: Settings, tmp_path: Path) -> None:
    steps.held.clear()
    with running(tmp_path / "executions.sqlite3", settings):
        record = ended(send_notification_email.enqueue(**MAIL).id, TaskStatus.RUNNING)
        stop_one(record, "tests", "not wanted")
        assert ended(record.pk).status == TaskStatus.ABORTED
        steps.held.set()

        restart_one(ended(record.pk), "tests")

        assert ended(f"{record.pk}-attempt-2").status == TaskStatus.SUCCEEDED


def test_an_execution_goes_on_with_the_next_worker(steps: Steps, settings: Settings, tmp_path: Path) -> None:
    steps.held.clear()
    with running(tmp_path / "executions.sqlite3", settings):
        task_id = send_notification_email.enqueue(**MAIL).id
        ended(task_id, TaskStatus.RUNNING)
    steps.held.set()

    with running(tmp_path / "executions.sqlite3", settings):
        assert ended(task_id).status == TaskStatus.SUCCEEDED
    assert steps.calls["send_email"] == 1


@pytest.mark.usefixtures("steps")
def test_an_end_that_was_not_recorded_is_recorded_at_the_next_start(settings: Settings, tmp_path: Path) -> None:
    with running(tmp_path / "executions.sqlite3", settings):
        record = ended(custom_processing.enqueue(data="abc").id)
    TaskRecord.objects.filter(pk=record.pk).update(status=TaskStatus.RUNNING, finished_at=None)

    with running(tmp_path / "executions.sqlite3", settings):
        assert ended(record.pk).status == TaskStatus.SUCCEEDED


def test_a_task_that_is_claimed_twice_runs_once(steps: Steps, settings: Settings, tmp_path: Path) -> None:
    with running(tmp_path / "executions.sqlite3", settings):
        record = ended(send_notification_email.enqueue(**MAIL).id)
        TaskRecord.objects.filter(pk=record.pk).update(status=TaskStatus.READY)  # as after a crash

        ended(record.pk, TaskStatus.RUNNING, TaskStatus.SUCCEEDED)

    assert steps.calls["send_email"] == 1


@pytest.mark.usefixtures("steps")
def test_a_payload_that_no_longer_fits_fails_its_task_alone(settings: Settings, tmp_path: Path) -> None:
    bad = custom_processing.enqueue(data="abc")
    TaskRecord.objects.filter(pk=bad.id).update(payload={"unknown": 1})

    with running(tmp_path / "executions.sqlite3", settings):
        good = custom_processing.enqueue(data="abc")
        assert ended(good.id).status == TaskStatus.SUCCEEDED
        record = ended(bad.id)

    assert (record.status, record.error) == (TaskStatus.FAILED, "PayloadDoesNotFit")


@pytest.mark.usefixtures("steps")
def test_a_second_worker_is_refused_while_the_first_has_the_file(settings: Settings, tmp_path: Path) -> None:
    with running(tmp_path / "executions.sqlite3", settings), pytest.raises(StoreInUse):
        Worker(tmp_path / "executions.sqlite3", 1)


def test_a_workflow_without_a_step_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "_steps", [])

    worker = Worker(tmp_path / "executions.sqlite3", 1)
    with pytest.raises(WorkerRefused, match=r"calls .*render_email.* no step"):
        worker.open("127.0.0.1", 0)
    worker.close()


def test_the_command_refuses_a_project_that_sends_to_sqs(settings: Settings) -> None:
    settings.WORKFLOW_ENGINE = "step_functions"

    with pytest.raises(CommandError, match="WORKFLOW_ENGINE=worker"):
        call_command("run_worker")


@pytest.mark.parametrize("command", [("dlq", "list"), ("dlq", "redrive", "--all")], ids=" ".join)
def test_commands_for_dead_letters_say_that_there_is_no_queue(command: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="there is none: tasks run without a queue"):
        call_command(*command)


def test_resending_says_that_nothing_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("resend_tasks")

    assert "manage.py run_worker takes recorded tasks by itself" in capsys.readouterr().out


def test_an_unknown_engine_is_an_error(settings: Settings) -> None:
    settings.WORKFLOW_ENGINE = "celery"

    assert "executions.E014" in [message.id for message in check_settings()]


EVERY_MINUTE = Schedule(
    name="count", task="custom_processing", expression="rate(1 minute)", description="", payload={"data": "abc"}
)


def test_a_schedule_that_is_due_is_recorded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    declare_schedules(monkeypatch, EVERY_MINUTE)
    scheduler, other = Scheduler(), Scheduler()
    assert scheduler.fire() == other.fire() == 0
    later = timezone.now() + timedelta(minutes=1)
    monkeypatch.setattr(timezone, "now", lambda: later)

    scheduler.fire()
    other.fire()

    record = TaskRecord.objects.get()
    assert (record.schedule, record.status, record.payload) == ("count", TaskStatus.READY, {"data": "abc"})


def test_a_new_schedule_makes_up_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    declare_schedules(monkeypatch, EVERY_MINUTE)

    assert Scheduler().fire() == 0


def test_of_missed_runs_the_last_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    declare_schedules(monkeypatch, EVERY_MINUTE)
    schedules.scheduled_record(EVERY_MINUTE, timezone.now() - timedelta(hours=2)).save()
    TaskRecord.objects.update(enqueued_at=timezone.now() - timedelta(hours=2))

    assert Scheduler().fire() == 1


def test_a_paused_schedule_does_not_run_until_it_is_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    declare_schedules(monkeypatch, EVERY_MINUTE)
    scheduler = Scheduler()
    scheduler.fire()
    now = timezone.now()
    schedules.pause("count", "tests")
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(minutes=5))
    assert scheduler.fire() == 0

    schedules.resume("count", "tests")
    assert scheduler.fire() == 0  # what it missed while it was paused is left out
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(minutes=6))
    assert scheduler.fire() == 1


def test_the_latest_run_is_found_among_many() -> None:
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)

    assert latest_run(EVERY_MINUTE, noon - timedelta(days=1), noon) == noon
    assert latest_run(replace(EVERY_MINUTE, expression="cron(0 13 * * ? *)"), noon - timedelta(hours=1), noon) is None
