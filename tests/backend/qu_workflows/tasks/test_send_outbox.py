from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks import outbox
from qu_workflows.tasks.running import run_attempt
from qu_workflows.tasks.tasks import send_outbox
from tests.backend.qu_workflows.conftest import Queue
from tests.backend.qu_workflows.projects import remove_steps
from tests.backend.qu_workflows.tasks.test_commands import leave
from tests.backend.qu_workflows.tasks.test_running import registered, side_by_side

pytestmark = pytest.mark.django_db(transaction=True)


def run_as_step(task_id: str = "send_outbox-20261124T120000Z") -> object:
    return run_attempt(task_id, registered(send_outbox), {}, "lambda")


def test_the_scheduled_run_sends_what_never_left_and_says_how_much(queue: Queue) -> None:
    leave(123)
    leave(1, minutes_ago=0.5)

    assert run_as_step("one") == {"sent": 123, "failed": 0, "first_error": ""}
    assert queue.size() == 123
    assert run_as_step("two") == {"sent": 0, "failed": 0, "first_error": ""}


@pytest.mark.usefixtures("queue_down")
def test_with_the_queue_down_the_run_ends_well_and_counts_what_stayed() -> None:
    leave(3)

    outcome = outbox.send_outbox()

    assert (outcome["sent"], outcome["failed"]) == (0, 3)
    assert outcome["first_error"].startswith("EndpointConnectionError")
    assert TaskRecord.objects.filter(status=TaskStatus.READY).count() == 3


def test_refused_tasks_do_not_block_later_ones(queue: Queue, settings: Settings) -> None:
    settings.AWS_STORAGE_BUCKET_NAME = "missing-bucket"
    leave(outbox.CHUNK_SIZE + 50, minutes_ago=9, payload_key="payloads/x.json")
    leave(1)

    outcome = outbox.send_outbox()

    assert (outcome["sent"], outcome["failed"], queue.size()) == (1, outbox.CHUNK_SIZE + 50, 1)
    assert "NoSuchBucket" in outcome["first_error"]


@pytest.mark.usefixtures("queue_down")
def test_with_the_queue_down_no_second_chunk_waits_for_it() -> None:
    leave(outbox.CHUNK_SIZE + 50)

    assert outbox.send_outbox()["failed"] == outbox.CHUNK_SIZE


def test_one_run_sends_no_more_than_its_share(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "OUTBOX_LIMIT", 5)
    leave(12)

    assert [outbox.send_outbox()["sent"] for _ in range(4)] == [5, 5, 2, 0]
    assert queue.size() == 12


def test_no_chunk_is_begun_once_the_time_is_over(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(3)
    monkeypatch.setattr(outbox, "OUTBOX_SECONDS", 0)

    assert outbox.send_outbox()["sent"] == queue.size() == 0


def test_two_runs_at_once_send_each_task_once(queue: Queue) -> None:
    leave(150)

    outcomes = side_by_side(outbox.send_outbox)

    assert sum(outcome["sent"] for outcome in outcomes) == queue.size() == 150


def test_without_a_queue_the_run_runs_unclaimed_tasks(settings: Settings) -> None:
    settings.USE_ASYNC_TASKS = False
    [well] = leave()
    [unknown] = leave(minutes_ago=4)
    TaskRecord.objects.filter(pk=unknown.pk).update(payload={"first": "no number"})
    leave(run_after=timezone.now() + timedelta(hours=1))

    outcome = outbox.send_outbox()

    assert (outcome["sent"], outcome["failed"]) == (1, 1)
    assert TaskRecord.objects.get(pk=well.pk).status == TaskStatus.SUCCEEDED
    assert outcome["first_error"].startswith(TaskRecord.objects.get(pk=unknown.pk).error)


def test_a_process_that_runs_no_workflows_leaves_them_recorded(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.USE_ASYNC_TASKS = False
    remove_steps(monkeypatch)
    leave()

    assert outbox.send_outbox() == {"sent": 0, "failed": 0, "first_error": ""}
    assert TaskRecord.objects.get().status == TaskStatus.READY
