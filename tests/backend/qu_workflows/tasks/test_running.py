from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connections, transaction
from django.utils import timezone

from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks.registry import RegisteredTask, registered_tasks
from qu_workflows.tasks.running import INLINE_RUN_SECONDS, run_attempt, run_inline
from qu_workflows.tasks.status import apply_status_change
from tests.backend.qu_workflows.sample import tasks
from workflows.errors import TaskStillRunning

pytestmark = pytest.mark.django_db(transaction=True)


def registered(task: Any) -> RegisteredTask:
    return registered_tasks()[task.task_name or task.module_path]


def record_of(task: Any, payload: dict[str, Any], **changes: Any) -> TaskRecord:
    return TaskRecord.objects.create(
        task=registered(task).name, workflow="run_task", payload=payload, enqueued_at=timezone.now(), **changes
    )


def attempt(record: TaskRecord, task: Any, worker_id: str = "lambda") -> Any:
    return run_attempt(record.pk, registered(task), record.payload, worker_id)


def side_by_side(work: Callable[[], Any], times: int = 2) -> list[Any]:
    """Do the same in threads at once, each with a connection of its own."""
    results, barrier = [], Barrier(times)

    def run() -> None:
        try:
            barrier.wait()
            results.append(work())
        finally:
            connections.close_all()

    threads = [Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_a_record_is_run_inline_by_one_of_those_who_try() -> None:
    record = record_of(tasks.name_group, {"name": "a"})

    outcomes = side_by_side(lambda: run_inline(TaskRecord.objects.get(pk=record.pk), registered(tasks.name_group)), 4)

    assert sum(outcome is not None for outcome in outcomes) == 1
    assert Group.objects.count() == 1


def test_what_has_been_sent_is_not_run_inline() -> None:
    record = record_of(tasks.name_group, {"name": "a"}, status=TaskStatus.SENT)

    assert run_inline(record, registered(tasks.name_group)) is None
    assert Group.objects.count() == 0


def test_in_a_transaction_a_failure_rolls_back_all_but_its_record() -> None:
    record = record_of(tasks.decline, {"name": "a"})

    with transaction.atomic():
        Group.objects.create(name="the caller's")
        run_inline(record, registered(tasks.decline))

    assert [group.name for group in Group.objects.all()] == ["the caller's"]
    record.refresh_from_db()
    assert (record.status, record.cause) == (TaskStatus.FAILED, "the card\\x00 was declined")
    assert record.errors[0]["exception_class_path"] == "tests.backend.qu_workflows.sample.tasks.CardDeclined"


def test_an_attempt_records_itself_and_leaves_the_end_to_the_executions_events() -> None:
    record = record_of(tasks.add, {"first": 2, "second": 5}, status=TaskStatus.SENT)

    assert attempt(record, tasks.add) == 7

    record.refresh_from_db()
    assert (record.status, record.result, record.worker_ids) == (TaskStatus.RUNNING, 7, ["lambda"])
    assert record.started_at == record.last_attempted_at
    assert record.returned_at is not None
    assert record.finished_at is None


def test_a_failed_attempt_raises_and_the_next_one_runs() -> None:
    record = record_of(tasks.decline, {"name": "a"}, status=TaskStatus.SENT)

    for worker_id in ("first", "second"):
        with pytest.raises(tasks.CardDeclined):
            attempt(record, tasks.decline, worker_id)

    record.refresh_from_db()
    assert (record.status, record.worker_ids, len(record.errors)) == (TaskStatus.RUNNING, ["first", "second"], 2)
    assert Group.objects.count() == 2


def test_a_task_knows_its_attempt() -> None:
    record = record_of(tasks.count_attempts, {"label": "attempt"}, status=TaskStatus.RUNNING, worker_ids=["earlier"])

    assert attempt(record, tasks.count_attempts) == "attempt 2"


def test_a_task_that_has_returned_is_not_run_again() -> None:
    record = record_of(tasks.name_group, {"name": "a"}, status=TaskStatus.SENT)

    values = [attempt(record, tasks.name_group) for _ in range(3)]

    assert values == [{"name": "a"}] * 3
    assert Group.objects.count() == 1


def test_a_task_that_ran_inline_answers_what_it_returned_then() -> None:
    record = record_of(tasks.name_group, {"name": "a"})
    run_inline(record, registered(tasks.name_group))

    assert attempt(record, tasks.name_group) == {"name": "a"}
    assert Group.objects.count() == 1


def test_an_attempt_waits_while_the_task_runs_inline_but_not_for_ever() -> None:
    now = timezone.now()
    record = record_of(
        tasks.add,
        {"first": 1},
        status=TaskStatus.RUNNING,
        ran_inline=True,
        worker_ids=["web"],
        last_attempted_at=now,
    )

    with pytest.raises(TaskStillRunning, match="web has been running it"):
        attempt(record, tasks.add)

    TaskRecord.objects.update(last_attempted_at=now - timedelta(seconds=INLINE_RUN_SECONDS))
    assert attempt(record, tasks.add) == 2


def test_a_task_without_a_record_gets_one() -> None:
    assert run_attempt("an-earlier-producers", registered(tasks.add), {"first": 1}, "lambda") == 2

    record = TaskRecord.objects.get(pk="an-earlier-producers")
    assert (record.task, record.workflow, record.status) == ("sample_sum", "run_task", TaskStatus.RUNNING)


def test_an_attempt_after_a_redrive_keeps_the_status_for_the_event() -> None:
    record = record_of(tasks.add, {"first": 1}, status=TaskStatus.FAILED)

    attempt(record, tasks.add)

    record.refresh_from_db()
    assert record.status == TaskStatus.FAILED


def test_the_functions_value_survives_an_event_without_output() -> None:
    record = record_of(tasks.give_back, {"value": "x" * 300_000}, status=TaskStatus.SENT)
    attempt(record, tasks.give_back)

    apply_status_change(
        {
            "name": record.pk,
            "status": "SUCCEEDED",
            "executionArn": "arn:aws:states:us-east-2:1:execution:qu-run_task:x",
            "stateMachineArn": "arn:aws:states:us-east-2:1:stateMachine:qu-run_task",
            "output": None,
            "outputDetails": {"included": False},
        }
    )

    record.refresh_from_db()
    assert (record.status, record.result) == (TaskStatus.SUCCEEDED, "x" * 300_000)


def test_only_the_last_errors_are_kept() -> None:
    record = record_of(tasks.decline, {"name": "a"}, status=TaskStatus.SENT)

    for _ in range(12):
        with pytest.raises(tasks.CardDeclined):
            attempt(record, tasks.decline)

    record.refresh_from_db()
    assert (len(record.errors), len(record.worker_ids)) == (10, 12)
