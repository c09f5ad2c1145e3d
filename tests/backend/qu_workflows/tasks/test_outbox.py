import logging
from collections.abc import Callable

import pytest
from botocore.exceptions import ReadTimeoutError
from django.contrib.auth.models import Group
from django.db import transaction
from pytest_django import Settings

from common.services.sqs_client import sqs_client
from common.tasks import process_guard_report
from qu_workflows.aws import clients as aws
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks.registry import registered_tasks
from qu_workflows.tasks.running import run_attempt
from tests.backend.qu_workflows.conftest import Queue
from tests.backend.qu_workflows.sample.tasks import add, decline, name_group

pytestmark = pytest.mark.django_db(transaction=True)


class Undo(Exception):
    pass


def sizes_of_batches(send: Callable[[], None]) -> list[int]:
    """Return how many messages each call to SQS carried."""
    sizes: list[int] = []
    events = aws.sqs().meta.events

    def note(params: dict[str, list[object]], **_kwargs: object) -> None:
        sizes.append(len(params.get("Entries", [1])))

    events.register("provide-client-params.sqs", note)
    try:
        send()
    finally:
        events.unregister("provide-client-params.sqs", note)
    return sizes


def test_a_task_is_sent_when_its_transaction_commits_and_not_before(queue: Queue) -> None:
    with transaction.atomic():
        name_group.enqueue("a")
        assert queue.size() == 0

    assert queue.size() == 1


def test_a_rolled_back_transaction_leaves_neither_record_nor_message(queue: Queue) -> None:
    with pytest.raises(Undo), transaction.atomic():
        name_group.enqueue("a")
        raise Undo

    assert queue.size() == TaskRecord.objects.count() == 0


def test_tasks_of_one_transaction_are_sent_in_batches_of_ten(queue: Queue) -> None:
    def send() -> None:
        with transaction.atomic():
            for n in range(23):
                name_group.enqueue(f"team {n}")
            sqs_client.send_task("custom_processing", {"data": "x"})

    assert sizes_of_batches(send) == [10, 10, 4]
    assert queue.size() == 24


def test_a_rolled_back_savepoint_loses_exactly_its_own_tasks(queue: Queue) -> None:
    with transaction.atomic():
        add.enqueue(1)
        with pytest.raises(Undo), transaction.atomic():
            add.enqueue(2)
            with transaction.atomic():
                add.enqueue(3)
            raise Undo
        with transaction.atomic():
            add.enqueue(4)
            with pytest.raises(Undo), transaction.atomic():
                add.enqueue(5)
                raise Undo
            add.enqueue(6)
        add.enqueue(7)

    assert sorted(body["payload"]["first"] for body in queue.bodies()) == [1, 4, 6, 7]
    assert sorted(record.payload["first"] for record in TaskRecord.objects.all()) == [1, 4, 6, 7]


def test_one_hook_per_level_and_other_hooks_between_them_stay_in_order(queue: Queue) -> None:
    seen: list[int] = []
    with transaction.atomic():
        add.enqueue(1)
        transaction.on_commit(lambda: seen.append(queue.size()))
        add.enqueue(2)

    assert seen == [2]


@pytest.mark.usefixtures("queue_down")
def test_with_the_queue_down_tasks_stay_recorded(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "executions"), transaction.atomic():
        Group.objects.create(name="written by the request")
        result = name_group.enqueue("a")

    record = TaskRecord.objects.get(pk=result.id)
    assert (record.status, record.send_attempts) == (TaskStatus.READY, 1)
    assert "EndpointConnectionError" in record.last_send_error
    assert "1 of 1 tasks not sent" in caplog.text
    assert Group.objects.count() == 1


@pytest.mark.usefixtures("queue_down")
def test_with_the_sync_fallback_a_task_runs_here_and_now(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    settings.TASK_FALLBACK = "sync"
    with caplog.at_level(logging.WARNING, "executions"), transaction.atomic():
        done, failed, workflow = add.enqueue(2, 3), decline.enqueue("a"), process_guard_report.enqueue(report_id=1)
        later = add.using(delay_seconds=60).enqueue(1)

    statuses = {record.pk: record.status for record in TaskRecord.objects.all()}
    assert statuses == {
        done.id: TaskStatus.SUCCEEDED,
        failed.id: TaskStatus.FAILED,
        workflow.id: TaskStatus.FAILED,
        later.id: TaskStatus.READY,
    }
    done.refresh()
    assert done.return_value == 5
    assert TaskRecord.objects.get(pk=workflow.id).error == "ReportNotFound"
    assert "is not due yet" in caplog.text
    assert "failed here" in caplog.text


def test_a_lost_answer_of_sqs_runs_no_task_twice(queue: Queue, settings: Settings) -> None:
    settings.TASK_FALLBACK = "sync"

    def lose_the_answer(**_kwargs: object) -> None:
        raise ReadTimeoutError(endpoint_url=queue.url)

    aws.sqs().meta.events.register("after-call.sqs.SendMessage", lose_the_answer)
    name_group.enqueue("a")
    aws.sqs().meta.events.unregister("after-call.sqs.SendMessage", lose_the_answer)

    [body] = queue.bodies()
    value = run_attempt(body["id"], registered_tasks()[body["task"]], body["payload"], "lambda")

    assert value == {"name": "a"}
    assert Group.objects.count() == 1


def test_an_unexpected_error_after_the_commit_fails_no_request(
    queue: Queue, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with transaction.atomic():
        result = add.enqueue(1)
        settings.AWS_SQS_QUEUE_URL = None  # nothing that AWS itself would say no to

    assert TaskRecord.objects.get(pk=result.id).status == TaskStatus.READY
    assert queue.size() == 0
    assert caplog.records


def test_a_record_whose_execution_has_begun_keeps_its_status(queue: Queue) -> None:
    def begin(**_kwargs: object) -> None:
        TaskRecord.objects.update(status=TaskStatus.RUNNING)

    aws.sqs().meta.events.register("after-call.sqs.SendMessage", begin)

    result = add.enqueue(1)

    record = TaskRecord.objects.get(pk=result.id)
    assert record.status == TaskStatus.RUNNING
    assert record.sent_at is not None
    assert queue.size() == 1
