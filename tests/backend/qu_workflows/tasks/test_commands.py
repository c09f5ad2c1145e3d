from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from qu_workflows.protocol.catalog import read_tasks
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks.management.commands import render_tasks
from qu_workflows.tasks.outbox import resend, resendable
from qu_workflows.tasks.registry import registered_tasks
from tests.backend.qu_workflows.conftest import Queue
from tests.backend.qu_workflows.tasks.test_running import side_by_side
from workflows.project import PROJECT

pytestmark = pytest.mark.django_db(transaction=True)


def leave(count: int = 1, minutes_ago: float = 5, **changes: Any) -> list[TaskRecord]:
    """Return records that were left behind."""
    return TaskRecord.objects.bulk_create(
        TaskRecord(
            task="sample_sum",
            workflow="run_task",
            payload={"first": n},
            enqueued_at=timezone.now() - timedelta(minutes=minutes_ago),
            **changes,
        )
        for n in range(count)
    )


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("resend_tasks", *arguments, stdout=out)
    return out.getvalue()


def test_what_never_left_is_sent_and_counted(queue: Queue) -> None:
    leave(123)
    leave(1, minutes_ago=0)
    leave(2, status=TaskStatus.SENT)

    assert run() == "123 tasks sent.\n"
    assert queue.size() == 123
    assert run() == "0 tasks sent.\n"
    assert run("--older-than-seconds", "0") == "1 tasks sent.\n"


def test_the_oldest_go_first_and_no_more_than_the_limit(queue: Queue) -> None:
    leave(2, minutes_ago=5)
    [oldest] = leave(1, minutes_ago=9)

    assert run("--limit", "1") == "1 tasks sent.\n"
    assert [body["id"] for body in queue.bodies()] == [oldest.pk]


def test_a_dry_run_only_counts(queue: Queue) -> None:
    leave(3)

    assert run("--dry-run", "--limit", "2") == "2 tasks to send.\n"
    assert queue.size() == 0


@pytest.mark.usefixtures("queue_down")
def test_when_the_queue_is_down_the_command_fails_and_says_why() -> None:
    leave(3)

    with pytest.raises(CommandError, match="3 tasks could not be sent and stay recorded: EndpointConnectionError"):
        run()

    assert TaskRecord.objects.filter(status=TaskStatus.READY, send_attempts=1).count() == 3


def test_without_the_queue_the_command_runs_what_was_left(settings: Settings) -> None:
    settings.USE_ASYNC_TASKS = False
    leave()

    assert "1 tasks run here" in run()
    assert TaskRecord.objects.get().status == TaskStatus.SUCCEEDED


def test_a_task_for_later_is_sent_once_sqs_can_hold_it(queue: Queue, settings: Settings) -> None:
    leave(run_after=timezone.now() + timedelta(minutes=10))
    leave(run_after=timezone.now() + timedelta(minutes=20))

    assert run() == "1 tasks sent.\n"
    settings.AWS_SCHEDULER_ROLE_ARN = "arn:aws:iam::123456789012:role/scheduler"
    assert resendable(60).count() == 1
    assert run() == "1 tasks sent.\n"
    assert queue.size() == 1


def test_a_fifo_queues_later_task_is_sent_when_due(fifo_queue: Queue) -> None:
    leave(run_after=timezone.now() + timedelta(minutes=10))
    leave(run_after=timezone.now() - timedelta(minutes=1))
    leave(delay_seconds=900)

    assert run() == "1 tasks sent.\n"
    assert len(fifo_queue.messages()) == 1


def test_two_that_resend_at_once_send_each_task_once(queue: Queue) -> None:
    leave(150)

    outcomes = side_by_side(lambda: resend(60))

    assert sum(outcome.sent for outcome in outcomes) == queue.size() == 150
    assert set(TaskRecord.objects.values_list("status", "send_attempts")) == {("SENT", 1)}


def test_a_locked_record_is_left_to_who_holds_it(queue: Queue) -> None:
    leave(2)
    with transaction.atomic():
        held = TaskRecord.objects.select_for_update().first()
        assert held is not None
        [outcome] = side_by_side(lambda: resend(60), times=1)

    assert outcome.sent == queue.size() == 1
    assert connection.features.has_select_for_update_skip_locked


def test_the_committed_catalog_is_what_the_code_renders(settings: Settings) -> None:
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if not app.startswith("tests.")]
    registered_tasks.cache_clear()
    try:
        assert PROJECT.django_tasks_file.read_text(encoding="utf-8") == render_tasks.rendered_tasks()
        call_command("render_tasks", "--check", stdout=StringIO())
    finally:
        registered_tasks.cache_clear()


def test_a_catalog_that_differs_from_the_code_fails_the_check() -> None:
    with pytest.raises(CommandError, match="Run make states"):
        call_command("render_tasks", "--check")


def test_what_is_rendered_reads_back_as_the_registrys_entries() -> None:
    expected = {name: task.entry for name, task in registered_tasks().items() if task.runs_in_one_step}

    assert read_tasks(render_tasks.rendered_tasks()) == expected
