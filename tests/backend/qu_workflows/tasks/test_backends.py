import asyncio
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.dispatch import Signal
from django.tasks import TaskResultStatus, default_task_backend
from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist
from django.tasks.signals import task_enqueued, task_finished, task_started
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from common.tasks import process_guard_report
from qu_workflows.protocol.message import PayloadDoesNotFit, PayloadTooLarge
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks.backends import StepFunctionsBackend
from qu_workflows.tasks.services import async_task
from tests.backend.qu_workflows.conftest import Queue
from tests.backend.qu_workflows.sample.tasks import (
    CardDeclined,
    add,
    count_attempts,
    decline,
    give_back,
    name_group,
    return_a_set,
    wait_a_little,
)

pytestmark = pytest.mark.django_db(transaction=True)


def backend() -> StepFunctionsBackend:
    return StepFunctionsBackend("default", {})


def test_an_enqueued_task_is_recorded_and_sent(queue: Queue) -> None:
    result = name_group.enqueue("night shift", times=2)

    record = TaskRecord.objects.get(pk=result.id)
    assert (record.status, record.send_attempts, record.workflow) == (TaskStatus.SENT, 1, "run_task")
    assert record.task == "tests.backend.qu_workflows.sample.tasks.name_group"
    [body] = queue.bodies()
    assert body == {
        "id": result.id,
        "task": record.task,
        "payload": {"name": "night shift", "times": 2},
        "timestamp": record.enqueued_at.isoformat(),
        "source": "django-backend",
    }
    assert (result.status, result.args, result.kwargs) == (TaskResultStatus.READY, ["night shift"], {"times": 2})


@pytest.mark.usefixtures("queue")
def test_a_result_has_the_arguments_as_they_were_given() -> None:
    stored = backend().get_result(name_group.enqueue("night shift", times=2).id)

    assert (stored.args, stored.kwargs) == (["night shift"], {"times": 2})
    assert stored.task.func is name_group.func


def test_many_tasks_take_one_insert_and_one_update(
    queue: Queue, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    calls: list[tuple[list[Any], dict[str, Any]]] = [([], {"name": f"team {n}"}) for n in range(25)]

    with django_assert_num_queries(2) as queries:
        results = backend().enqueue_many(name_group, calls)

    assert queries[0]["sql"].startswith("INSERT")
    assert "UPDATE" in queries[1]["sql"]
    assert [body["payload"]["name"] for body in sorted(queue.bodies(), key=lambda body: body["id"])] == [
        f"team {n}" for n in range(25)
    ]
    assert TaskRecord.objects.filter(status=TaskStatus.SENT).count() == len({result.id for result in results}) == 25


def test_no_tasks_are_no_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        assert backend().enqueue_many(name_group, []) == []


def test_one_call_that_does_not_fit_keeps_all_of_them_out(queue: Queue) -> None:
    with pytest.raises(PayloadDoesNotFit, match="times"):
        backend().enqueue_many(name_group, [(["a"], {}), (["b"], {"times": "twice"})])

    assert not TaskRecord.objects.exists()
    assert queue.bodies() == []


@pytest.mark.parametrize(
    ("args", "kwargs", "error", "said"),
    [
        ([], {}, PayloadDoesNotFit, "name"),
        (["a"], {"tmies": 2}, PayloadDoesNotFit, "tmies"),
        (["a", 2, 3], {}, TypeError, "too many"),
        (["a"], {"name": "b"}, TypeError, "twice"),
        ([timezone], {}, TypeError, "not JSON"),
        ([{"at": float("nan")}], {}, PayloadDoesNotFit, "not JSON"),
        (["half \ud800"], {}, PayloadDoesNotFit, "not JSON"),
        (["nul \x00"], {}, PayloadDoesNotFit, r"U\+0000"),
        (["a" * 6_000_000], {}, PayloadTooLarge, "5,242,880"),
    ],
)
def test_a_callers_mistake_is_an_exception_at_the_call(
    args: list[Any], kwargs: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        backend().enqueue(name_group, args, kwargs)

    assert not TaskRecord.objects.exists()


def test_every_text_that_postgresql_and_sqs_take_arrives_as_it_was(queue: Queue) -> None:
    text = "ünïcode \\u0000 \\\\u0000 \uffff \ufffe \U0001f600 \t\x01\x7f"

    result = give_back.enqueue(text)

    assert queue.bodies()[0]["payload"] == {"value": text}
    assert backend().get_result(result.id).args == [text]


def test_a_task_can_be_enqueued_and_read_by_async_code(queue: Queue) -> None:
    async def enqueue_and_read() -> str:
        result = await name_group.aenqueue("a")
        await result.arefresh()
        stored = await name_group.aget_result(result.id)
        await sync_to_async(TaskRecord.objects.filter(pk=result.id).update)(status=TaskStatus.RUNNING)
        await result.arefresh()
        assert result.status == TaskResultStatus.RUNNING
        return stored.id

    task_id = asyncio.run(enqueue_and_read())

    assert [body["id"] for body in queue.bodies()] == [task_id]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (TaskStatus.READY, TaskResultStatus.READY),
        (TaskStatus.SENT, TaskResultStatus.READY),
        (TaskStatus.RUNNING, TaskResultStatus.RUNNING),
        (TaskStatus.SUCCEEDED, TaskResultStatus.SUCCESSFUL),
        (TaskStatus.FAILED, TaskResultStatus.FAILED),
        (TaskStatus.TIMED_OUT, TaskResultStatus.FAILED),
        (TaskStatus.ABORTED, TaskResultStatus.FAILED),
    ],
)
def test_every_status_of_a_record_is_one_of_djangos(status: TaskStatus, expected: TaskResultStatus) -> None:
    TaskRecord.objects.create(id="one", task="sample_sum", status=status, enqueued_at=timezone.now(), result=3)

    result = default_task_backend.get_result("one")

    assert result.status == expected
    if expected == TaskResultStatus.SUCCESSFUL:
        assert result.return_value == 3
    else:
        with pytest.raises(ValueError, match="Task"):
            _ = result.return_value


@pytest.mark.parametrize(
    ("error", "expected"),
    [("ReportNotFound", "ReportNotFound"), ("States.Timeout", "TimeoutError"), ("Lambda.Unknown", "StepError")],
)
def test_an_executions_error_is_an_exception_class_of_the_result(error: str, expected: str) -> None:
    TaskRecord.objects.create(
        id="one", task="sample_sum", status="FAILED", error=error, cause="because", enqueued_at=timezone.now()
    )

    [found] = default_task_backend.get_result("one").errors

    assert (found.exception_class.__name__, found.traceback) == (expected, "because")


@pytest.mark.parametrize("task", ["unknown_task", ""])
def test_a_result_that_is_not_there_does_not_exist(task: str) -> None:
    if task:
        TaskRecord.objects.create(id="one", task=task, enqueued_at=timezone.now())

    with pytest.raises(TaskResultDoesNotExist):
        default_task_backend.get_result("one")


def test_without_the_queue_a_task_runs_here_and_now() -> None:
    result = name_group.enqueue("day shift")

    assert (result.status, result.return_value, result.attempts) == (
        TaskResultStatus.SUCCESSFUL,
        {"name": "day shift"},
        1,
    )
    assert TaskRecord.objects.get(pk=result.id).status == TaskStatus.SUCCEEDED


def test_without_the_queue_a_failure_is_a_failed_result() -> None:
    result = decline.enqueue("day shift")

    assert result.status == TaskResultStatus.FAILED
    assert result.errors[0].exception_class is CardDeclined
    assert "was declined" in result.errors[0].traceback
    record = TaskRecord.objects.get(pk=result.id)
    assert (record.status, record.error, record.ran_inline) == (TaskStatus.FAILED, "CardDeclined", True)


def test_a_return_value_that_is_no_json_is_a_failure() -> None:
    assert return_a_set.enqueue().errors[0].exception_class is TypeError


def test_the_context_and_coroutines_work_without_the_queue() -> None:
    assert count_attempts.enqueue(label="attempt").return_value == "attempt 1"
    awaited: Any = wait_a_little.enqueue("tea").return_value
    assert awaited == "waited for tea"


def test_without_the_queue_a_workflow_runs_in_this_process() -> None:
    result = process_guard_report.enqueue(report_id=7)

    record = TaskRecord.objects.get(pk=result.id)
    assert (record.status, record.error, record.send_attempts) == (TaskStatus.FAILED, "ReportNotFound", 0)
    assert result.status == TaskResultStatus.FAILED


def test_djangos_signals_announce_every_task_in_order() -> None:
    seen: list[tuple[str, str]] = []

    def note(kind: str) -> Any:
        def receive(task_result: Any, **_kwargs: Any) -> None:
            seen.append((kind, task_result.status))

        return receive

    signals: dict[str, Signal] = {"enqueued": task_enqueued, "started": task_started, "finished": task_finished}
    receivers = {kind: note(kind) for kind in signals}
    for kind, signal in signals.items():
        signal.connect(receivers[kind])
    try:
        add.enqueue(1)
    finally:
        for kind, signal in signals.items():
            signal.disconnect(receivers[kind])

    assert seen == [("enqueued", "READY"), ("started", "RUNNING"), ("finished", "SUCCESSFUL")]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"delay_seconds": 901}, "0 to 900"),
        ({"delay_seconds": True}, "not an integer"),
        ({"delay_seconds": 5, "run_after": timezone.now() + timedelta(hours=1)}, "both"),
        ({"message_group_id": "with space"}, "message_group_id"),
        ({"priority": 3}, "priority"),
    ],
)
def test_what_sqs_could_not_send_is_no_valid_task(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidTask, match=said):
        add.using(**changes)


def test_a_function_whose_parameters_have_no_names_is_refused() -> None:
    def positional(*numbers: int) -> None: ...

    positional.__qualname__ = "positional"
    with pytest.raises(InvalidTask, match="Name its parameters"):
        async_task("positional")(positional)


def test_a_task_that_no_other_process_would_find_is_refused() -> None:
    def alone() -> None: ...

    alone.__qualname__ = "alone"
    with pytest.raises(InvalidTask, match="is not registered"):
        async_task("alone")(alone).enqueue()


def test_a_decorated_task_has_the_attributes_that_earlier_code_reads() -> None:
    legacy: Any = add

    assert (legacy._is_async_task, legacy._task_name) == (True, "sample_sum")
    assert legacy._original_func is add.func
    assert legacy._original_func(2, second=3) == 5
