import logging
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from common.tasks import custom_processing
from qu_workflows.aws import clients as aws
from qu_workflows.protocol.message import read_message
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks import outbox
from qu_workflows.tasks.outbox import Sender, resend
from qu_workflows.tasks.status import apply_status_change
from tests.backend.qu_workflows.conftest import Queue
from tests.backend.qu_workflows.sample.tasks import add, give_back, name_group

ROOT = Path(__file__).parents[4]


class Killed(BaseException):
    """An exception that no code catches, like the end of the process."""


@pytest.fixture
def in_background(settings: Settings) -> Iterator[None]:
    settings.TASK_SEND_IN_BACKGROUND = True
    yield
    outbox.sender.wait()


@contextmanager
def after_each_send(do: Callable[..., None]) -> Iterator[None]:
    """Do something once a message has reached SQS and before that is noted."""
    events = aws.sqs().meta.events
    events.register("after-call.sqs", do)
    try:
        yield
    finally:
        events.unregister("after-call.sqs", do)


def records(count: int) -> list[TaskRecord]:
    return [TaskRecord(task=f"task {n}") for n in range(count)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("in_background")
class TestEnqueue:
    def test_a_task_enqueued_alone_is_sent_and_marked_beside_its_caller(self, queue: Queue) -> None:
        reached, go_on = Event(), Event()

        def hold(**_kwargs: object) -> None:
            reached.set()
            go_on.wait(20)

        with after_each_send(hold):
            result = name_group.enqueue("a")
            assert reached.wait(20)
            assert TaskRecord.objects.get(pk=result.id).status == TaskStatus.READY
            go_on.set()
            outbox.sender.wait()

        record = TaskRecord.objects.get(pk=result.id)
        assert (record.status, record.send_attempts) == (TaskStatus.SENT, 1)
        assert record.sent_at is not None
        assert [body["id"] for body in queue.bodies()] == [result.id]

    def test_a_crash_between_sending_and_marking_starts_nothing_twice(self, queue: Queue) -> None:
        def crash(**_kwargs: object) -> None:
            raise Killed

        with after_each_send(crash):
            result = custom_processing.enqueue(data="a")
            outbox.sender.wait()
        assert TaskRecord.objects.get(pk=result.id).status == TaskStatus.READY

        assert resend(older_than_seconds=0).sent == 1

        assert TaskRecord.objects.get(pk=result.id).status == TaskStatus.SENT
        bodies = [message["Body"] for message in queue.messages()]
        assert len(bodies) == 2
        # The same start twice: Step Functions answers the second with the execution that there is.
        assert {read_message(body, "other id").name for body in bodies} == {result.id}
        assert len({read_message(body, "other id").input_json for body in bodies}) == 1

    def test_the_next_task_is_sent_after_a_crash_of_the_senders_run(self, queue: Queue) -> None:
        def crash(**_kwargs: object) -> None:
            raise Killed

        with after_each_send(crash):
            name_group.enqueue("a")
            outbox.sender.wait()
        result = name_group.enqueue("b")
        outbox.sender.wait()

        assert TaskRecord.objects.get(pk=result.id).status == TaskStatus.SENT
        assert queue.size() == 2

    @pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED"])
    def test_a_status_that_came_before_the_mark_stays(self, queue: Queue, status: str) -> None:
        def begin(**_kwargs: object) -> None:
            apply_status_change(change(TaskRecord.objects.get().pk, status))

        with after_each_send(begin):
            result = name_group.enqueue("a")
            outbox.sender.wait()

        record = TaskRecord.objects.get(pk=result.id)
        assert (record.status, record.send_attempts) == (status, 1)
        assert queue.size() == 1

    def test_a_rolled_back_task_never_reaches_the_sender(self, queue: Queue) -> None:
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            name_group.enqueue("a")
            raise ZeroDivisionError
        outbox.sender.wait()

        assert queue.size() == TaskRecord.objects.count() == 0

    def test_tasks_of_many_threads_are_each_sent_once(self, queue: Queue) -> None:
        def enqueue(first: int) -> list[str]:
            try:
                return [add.enqueue(first, second).id for second in range(10)]
            finally:
                connection.close()

        with ThreadPoolExecutor(6) as threads:
            ids = [one for some in threads.map(enqueue, range(6)) for one in some]
        outbox.sender.wait()

        assert sorted(body["id"] for body in queue.bodies()) == sorted(ids)
        assert set(TaskRecord.objects.values_list("status", "send_attempts")) == {(TaskStatus.SENT, 1)}

    @pytest.mark.usefixtures("queue_down")
    def test_a_queue_that_is_down_leaves_the_task_recorded_with_the_reason(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING, "executions"):
            result = name_group.enqueue("a")
            outbox.sender.wait()

        record = TaskRecord.objects.get(pk=result.id)
        assert (record.status, record.send_attempts) == (TaskStatus.READY, 1)
        assert "EndpointConnectionError" in record.last_send_error
        assert "1 of 1 tasks not sent" in caplog.text

    def test_a_large_payload_is_sent_before_the_call_returns(self, queue: Queue, bucket: str) -> None:
        result = give_back.enqueue(value="x" * 300_000)

        assert TaskRecord.objects.get(pk=result.id).status == TaskStatus.SENT
        assert (bucket, queue.size()) == ("files-of-the-tests", 1)

    def test_a_fifo_queues_order_is_the_callers(self, fifo_queue: Queue) -> None:
        result = name_group.enqueue("a")

        assert TaskRecord.objects.get(pk=result.id).status == TaskStatus.SENT
        assert fifo_queue.size() == 1

    @pytest.mark.usefixtures("queue_down")
    def test_the_sync_fallback_runs_a_task_before_the_call_returns(self, settings: Settings) -> None:
        settings.TASK_FALLBACK = "sync"

        assert add.enqueue(2, 3).return_value == 5


def change(task_id: str, status: str) -> dict[str, object]:
    machine = "arn:aws:states:us-east-2:123456789012:stateMachine:run_task"
    return {
        "name": task_id,
        "status": status,
        "executionArn": f"{machine.replace('stateMachine', 'execution')}:{task_id}",
        "stateMachineArn": machine,
        "startDate": 1_767_225_600_000,
        "stopDate": None if status == "RUNNING" else 1_767_225_601_000,
    }


class TestSender:
    """The thread by itself; the fake it sends by is held up by an event."""

    def test_what_comes_while_one_is_on_its_way_leaves_together(self) -> None:
        sent: list[int] = []
        begun, go_on = Event(), Event()

        def send(some: Sequence[TaskRecord]) -> None:
            sent.append(len(some))
            begun.set()
            go_on.wait(20)

        one = Sender(send)
        first, *rest = records(8)
        assert one.take(first)
        assert begun.wait(20)
        assert all(one.take(record) for record in rest)
        go_on.set()
        one.wait()

        assert sent == [1, 7]

    def test_a_full_sender_leaves_the_record_to_its_caller(self) -> None:
        begun, go_on = Event(), Event()

        def send(_some: Sequence[TaskRecord]) -> None:
            begun.set()
            go_on.wait(20)

        one = Sender(send)
        one.take(TaskRecord())
        assert begun.wait(20)
        taken = [one.take(record) for record in records(outbox.MAX_WAITING + 2)]
        go_on.set()
        one.wait()

        assert taken == [True] * outbox.MAX_WAITING + [False, False]
        assert one.take(TaskRecord())
        one.wait()

    def test_an_error_is_logged_and_the_next_ones_are_sent(self, caplog: pytest.LogCaptureFixture) -> None:
        sent: list[str] = []

        def send(some: Sequence[TaskRecord]) -> None:
            if not caplog.records:
                raise ConnectionError("the database went away")
            sent.extend(record.task for record in some)

        one = Sender(send)
        for record in records(2):
            one.take(record)
            one.wait()

        assert sent == ["task 1"]
        assert "the database went away" in caplog.text
        assert "those still READY are sent later" in caplog.text

    def test_after_a_fork_the_child_sends_its_own_and_not_its_parents(self) -> None:
        sent: list[str] = []
        begun, go_on = Event(), Event()

        def send(some: Sequence[TaskRecord]) -> None:
            if not begun.is_set():
                begun.set()
                go_on.wait(20)
            sent.extend(record.task for record in some)

        one = Sender(send)
        on_its_way, waiting, new = records(3)
        one.take(on_its_way)
        assert begun.wait(20)
        one.take(waiting)
        one.reset()  # as os.fork has the child do, where the thread is no more: here it stands still
        one.take(new)
        one.wait()

        assert sent == [new.task]
        go_on.set()

    def test_python_ends_after_the_last_task_is_sent(self) -> None:
        program = """
import atexit, time, django
from django.conf import settings
settings.configure(INSTALLED_APPS=["qu_workflows.records"])
django.setup()
from qu_workflows.records.models import TaskRecord
from qu_workflows.tasks.outbox import Sender

def send(records):
    time.sleep(0.2)
    print("sent", len(records))

sender = Sender(send)
atexit.register(lambda: print("taken", sender.take(TaskRecord())))
for _ in range(3):
    sender.take(TaskRecord())
"""
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": f"{ROOT}:{ROOT / 'backend'}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )

        assert done.stdout.splitlines() == ["sent 3", "taken False"]
