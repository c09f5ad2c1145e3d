import json
import time
from threading import Event, Timer
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from django.utils import timezone
from hypothesis import example, given
from hypothesis import strategies as st
from pytest_django import Settings

from qu_workflows.aws import clients as aws
from qu_workflows.aws.queues import MAX_BATCH_BYTES
from qu_workflows.dead_letters import receiving
from qu_workflows.dead_letters.judging import Selection
from qu_workflows.dead_letters.queries import preview_redrive
from qu_workflows.dead_letters.redriving import body_to_send
from qu_workflows.dead_letters.services import DeadLetterResult, redrive
from qu_workflows.protocol.catalog import CatalogEntry, Parameter
from qu_workflows.protocol.message import read_message
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused
from qu_workflows.records.models import AuditEntry, AuditOutcome, TaskRecord, TaskStatus
from tests.backend.qu_workflows.dead_letter_queues import (
    GOOD,
    NO_JSON,
    UNFIT,
    UNKNOWN,
    DeadLetterQueue,
    answer,
    good,
    make_queues,
    move,
    order,
    refuse,
)

pytestmark = pytest.mark.django_db(transaction=True)

ENTRY = CatalogEntry("sample_give_back", "run_task", {"value": Parameter("any", required=True)})
TRACE = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2-3"}}


def fail(action: str, on_call: int, error: Exception) -> None:
    """Have an action's nth call fail before it has any effect."""
    calls: list[int] = []

    def before_call(**_call: Any) -> None:
        calls.append(1)
        if len(calls) == on_call:
            raise error

    aws.sqs().meta.events.register(f"before-call.sqs.{action}", before_call)


def test_what_can_be_dispatched_is_moved_and_the_rest_is_left(dlq: DeadLetterQueue) -> None:
    dlq.put(*(good(f"task-{n}") for n in range(12)))
    left = dlq.put(UNKNOWN, UNFIT, NO_JSON)

    moved = move(order())

    assert (moved.count, moved.left) == (12, {"UnknownTask": 1, "PayloadDoesNotFit": 1, "NotJson": 1})
    assert sorted(dlq.moved_ids()) == sorted(f"task-{n}" for n in range(12))
    assert dlq.ids() == set(left)


def test_a_body_without_an_id_is_sent_with_the_one_it_had(dlq: DeadLetterQueue) -> None:
    [message_id] = dlq.put(good())

    move(order())

    [copy] = dlq.moved()
    assert copy["MessageId"] != message_id
    assert read_message(copy["Body"], copy["MessageId"]) == read_message(good(), message_id)


names = st.text(max_size=10)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(names, values), values, st.sampled_from(["absent", None, "own-id"]))
@example({}, "\uffff\ufffe", None)
def test_a_copy_asks_for_the_same_execution_under_any_message_id(
    others: dict[str, Any], data: Any, task_id: str | None
) -> None:
    message = others | {"task": ENTRY.task, "payload": {"value": data}}
    for name in ("id", "payload_key", "schedule", "scheduled_at"):
        message.pop(name, None)
    body = json.dumps(message if task_id == "absent" else message | {"id": task_id})
    catalog = {ENTRY.task: ENTRY}

    copy = body_to_send("first-message-id", body)

    assert read_message(copy, "another", catalog) == read_message(body, "first-message-id", catalog)


@pytest.mark.parametrize("body", [NO_JSON, "[]", '{"task": NaN}', '{"task": "\\ud800"}', "[" * 100_000])
def test_a_body_that_nothing_can_be_added_to_stays_as_it_is(body: str) -> None:
    assert body_to_send("message-id", body) == body


def test_even_what_is_rejected_is_moved_when_that_is_wanted(dlq: DeadLetterQueue) -> None:
    ids = dlq.put(UNKNOWN, NO_JSON, json.dumps({"task": "os.system"}))

    assert move(order(even_rejected=True)).count == 3

    bodies = [message["Body"] for message in dlq.moved()]
    assert bodies[:2] == [UNKNOWN, NO_JSON]
    assert json.loads(bodies[2]) == {"id": ids[2], "task": "os.system"}


def test_attributes_and_the_trace_go_with_a_message(dlq: DeadLetterQueue) -> None:
    attributes = {
        "ERROR_CODE": {"DataType": "String", "StringValue": "X"},
        "blob": {"DataType": "Binary.png", "BinaryValue": b"\x00\x01\xff"},
        "retries": {"DataType": "Number.int", "StringValue": "-3"},
    }
    dlq.put(good("task-1"), MessageAttributes=attributes, MessageSystemAttributes=TRACE)

    sent: list[Any] = []  # moto forgets what a batch says of a trace
    aws.sqs().meta.events.register(
        "before-call.sqs.SendMessageBatch", lambda params, **_: sent.extend(json.loads(params["body"])["Entries"])
    )

    move(order())

    [copy] = dlq.moved()
    assert copy["MessageAttributes"] == attributes
    assert [entry["MessageSystemAttributes"] for entry in sent] == [TRACE]


@pytest.mark.usefixtures("dlq")
def test_a_fifo_redrive_keeps_the_group_and_drops_duplicates(settings: Settings) -> None:
    fifo = make_queues(settings, ".fifo")
    [message_id] = fifo.put(good("task-1"), MessageGroupId="report-7", MessageDeduplicationId="task-1")
    fail("DeleteMessageBatch", 1, EndpointConnectionError(endpoint_url="sqs"))

    assert list(move(order()).in_both) == [message_id]
    assert move(order()).count == 1

    [copy] = fifo.moved()
    assert copy["Attributes"]["MessageGroupId"] == "report-7"
    assert copy["Attributes"]["MessageDeduplicationId"] == message_id
    assert fifo.ids() == set()


def test_only_the_task_that_is_meant_is_moved(dlq: DeadLetterQueue) -> None:
    report = json.dumps({"id": "report", "task": "process_guard_report", "payload": {"report_id": 1}})
    [other, _] = dlq.put(good("task-1"), report)

    assert move(order(Selection(task="process_guard_report"))).count == 1

    assert dlq.moved_ids() == ["report"]
    assert dlq.ids() == {other}


def test_messages_are_meant_by_their_own_id_or_by_their_tasks(dlq: DeadLetterQueue) -> None:
    [first, _, third] = dlq.put(good("task-1"), good("task-2"), good("task-3"))

    assert move(order(Selection(ids=[first, "task-2"]))).count == 2

    assert sorted(dlq.moved_ids()) == ["task-1", "task-2"]
    assert dlq.ids() == {third}


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (["task-1", "gone"], "gone: is not a message in the dead-letter queue"),
        (["task-1", "unknown-1"], "cannot be dispatched: /task: 'os.system' is not in the catalog.*--even-rejected"),
    ],
)
def test_one_id_that_cannot_be_moved_blocks_all(dlq: DeadLetterQueue, ids: list[str], said: str) -> None:
    kept = dlq.put(good("task-1"), UNKNOWN)

    with pytest.raises(OperationRefused, match=said):
        move(order(Selection(ids=ids)))

    assert dlq.is_untouched_with(kept)
    assert not AuditEntry.objects.exists()


def test_a_task_that_no_message_names_is_refused(dlq: DeadLetterQueue) -> None:
    kept = dlq.put(good("task-1"))

    selection = Selection(task="process_report")
    for act in (lambda: move(order(selection)), lambda: preview_redrive(selection)):
        with pytest.raises(OperationRefused, match="process_report: matches no message"):
            act()

    assert dlq.is_untouched_with(kept)


@pytest.mark.usefixtures("dlq")
def test_an_empty_queue_is_moved_at_once() -> None:
    assert move(order()) == DeadLetterResult()


@pytest.mark.parametrize("per_second", [0, -1, 501])
def test_a_pace_that_sqs_does_not_take_is_refused(per_second: int) -> None:
    with pytest.raises(OperationRefused, match="Give 1 to 500"):
        order(per_second=per_second)


def test_a_preview_lists_messages_and_moves_nothing(dlq: DeadLetterQueue) -> None:
    kept = dlq.put(good("task-1"), UNKNOWN)

    seen = preview_redrive(Selection())

    assert [letter.task_id for letter in seen.moved] == ["task-1"]
    assert [letter.task_id for letter in seen.left] == ["unknown-1"]
    assert not seen.by_sqs
    assert dlq.is_untouched_with(kept)


def test_what_was_started_before_is_moved_so_that_it_is_gone(dlq: DeadLetterQueue) -> None:
    dlq.put(good("task-1"))
    TaskRecord.objects.create(
        pk="task-1",
        task="custom_processing",
        workflow="run_task",
        status=TaskStatus.RUNNING,
        enqueued_at=timezone.now(),
    )

    assert move(order()).count == 1


def test_each_batch_is_in_the_audit_table_with_its_ids(dlq: DeadLetterQueue) -> None:
    ids = dlq.put(*(good(f"task-{n}") for n in range(12)))

    wanted = order()
    move(wanted)

    entries = list(AuditEntry.objects.order_by("id"))
    assert [len(entry.details["ids"]) for entry in entries] == [10, 2]
    assert [id_ for entry in entries for id_ in entry.details["ids"]] == ids
    assert [entry.details["moved_before"] for entry in entries] == [0, 10]
    assert [set(entry.details["copies"]) for entry in entries] == [set(ids[:10]), set(ids[10:])]
    for entry in entries:
        assert (entry.actor, entry.action, entry.target) == ("operator@host", "redrive_dead_letters", "tasks-dlq")
        assert (entry.outcome, entry.batch) == (AuditOutcome.DONE, wanted.batch)


def test_a_message_that_sqs_refuses_is_reported(dlq: DeadLetterQueue) -> None:
    [first, second] = dlq.put(good("task-1"), good("task-2"))
    answer("SendMessageBatch", refuse(0))

    moved = move(order())

    assert (moved.count, moved.failed) == (1, {first: "InternalError: try later"})
    assert dlq.ids() == {first}
    assert AuditEntry.objects.get().details["copies"] == {second: f"copy-of-{second}"}


def test_when_sqs_is_lost_in_the_middle_the_count_is_true(dlq: DeadLetterQueue) -> None:
    dlq.put(*(good(f"task-{n}") for n in range(25)))
    fail("SendMessageBatch", 2, EndpointConnectionError(endpoint_url="sqs"))

    moved = move(order())

    assert moved.count == 10
    assert "SQS: was not reached" in moved.error
    assert len(dlq.ids()) == 15
    assert list(AuditEntry.objects.order_by("id").values_list("outcome", flat=True)) == ["done", "failed"]


@pytest.mark.parametrize(("on_call", "moved_before"), [(1, None), (2, 10)])
def test_when_receiving_fails_the_count_is_true(dlq: DeadLetterQueue, on_call: int, moved_before: int | None) -> None:
    dlq.put(*(good(f"task-{n}") for n in range(12)))
    fail("ReceiveMessage", on_call, ClientError({"Error": {"Code": "Unavailable", "Message": "x"}}, "ReceiveMessage"))

    if moved_before is None:
        with pytest.raises(OperationFailed, match="answered Unavailable"):
            move(order())
    else:
        moved = move(order())
        assert moved.count == moved_before
        assert "answered Unavailable" in moved.error


def test_a_stop_ends_between_two_batches(dlq: DeadLetterQueue) -> None:
    dlq.put(*(good(f"task-{n}") for n in range(25)))
    stop = Event()

    moved = redrive(order(), stop, lambda _moved: stop.set())

    assert (moved.count, moved.was_stopped) == (10, True)
    assert (len(dlq.ids()), len(dlq.moved())) == (15, 10)


def test_a_copy_that_comes_back_meanwhile_is_not_moved_round_and_round(dlq: DeadLetterQueue) -> None:
    [message_id] = dlq.put(NO_JSON)
    rounds: list[int] = []

    def come_back(moved: DeadLetterResult) -> None:
        rounds.append(moved.count)
        assert len(rounds) < 5
        client = aws.sqs()
        for _ in range(4):  # three receives that fail, and the one by which it becomes a dead letter
            client.receive_message(QueueUrl=dlq.queue_url, VisibilityTimeout=0)

    redrive(order(even_rejected=True), Event(), come_back)

    assert rounds == [1]
    assert message_id not in dlq.ids()
    assert len(dlq.ids()) == 1


def test_a_batch_too_large_for_one_call_is_sent_in_parts(dlq: DeadLetterQueue) -> None:
    dlq.put(*(good(f"task-{n}", filler="x" * 300_000) for n in range(5)))
    calls: list[int] = []
    aws.sqs().meta.events.register(
        "before-call.sqs.SendMessageBatch", lambda params, **_: calls.append(len(json.loads(params["body"])["Entries"]))
    )

    assert move(order()).count == 5
    assert calls == [1] * 5


def test_the_pace_counts_messages_and_a_stop_ends_the_wait(dlq: DeadLetterQueue) -> None:
    dlq.put(*(good(f"task-{n}") for n in range(30)))
    waits: list[float] = []

    class Stop(Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0)
            if len(waits) == 2:
                self.set()
            return self.is_set()

    moved = move(order(per_second=1), Stop())

    assert waits == [pytest.approx(10, abs=3), pytest.approx(20, abs=3)]
    assert (moved.count, moved.was_stopped) == (20, True)


def test_every_message_of_a_task_id_is_moved_when_that_is_meant(dlq: DeadLetterQueue) -> None:
    dlq.put(good("task-1"), *(good() for _ in range(12)), good("task-1"))

    assert move(order(Selection(ids=["task-1"]))).count == 2
    assert dlq.moved_ids() == ["task-1", "task-1"]


def test_an_id_that_another_process_took_is_reported(dlq: DeadLetterQueue) -> None:
    dlq.put(*(good(f"task-{n}") for n in range(12)))
    wanted = order(Selection(ids=[f"task-{n}" for n in range(12)]))

    def take_the_rest(_moved: DeadLetterResult) -> None:
        aws.sqs().receive_message(QueueUrl=dlq.url, MaxNumberOfMessages=10)

    moved = redrive(wanted, Event(), take_the_rest)

    assert (moved.count, moved.missing) == (10, 2)


def test_a_body_too_large_with_its_id_is_reported(dlq: DeadLetterQueue) -> None:
    frame = len(json.dumps({**GOOD, "filler": ""}, separators=(",", ":")))
    body = json.dumps({**GOOD, "filler": "x" * (MAX_BATCH_BYTES - frame)}, separators=(",", ":"))
    assert len(body) == MAX_BATCH_BYTES
    [large, *_] = dlq.put(body, *(good(f"task-{n}") for n in range(3)))

    moved = move(order())

    assert moved.count == 3
    assert moved.failed.keys() == {large}
    assert "SQS takes 1,048,576" in moved.failed[large]
    assert dlq.ids() == {large}


@pytest.mark.usefixtures("dlq")
def test_hidden_messages_of_a_fifo_group_are_reported(settings: Settings) -> None:
    fifo = make_queues(settings, ".fifo")
    bodies = [UNKNOWN] * 10 + [good("task-1"), good("task-2")]
    for number, body in enumerate(bodies):
        fifo.put(body, MessageGroupId="one", MessageDeduplicationId=str(number))

    moved = move(order())

    assert (moved.count, moved.left) == (0, {"UnknownTask": 10})
    assert "about 2 more cannot be received" in moved.error


def test_messages_held_for_longer_are_reported(dlq: DeadLetterQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "PATIENCE_SECONDS", 0)
    dlq.put(good("task-1"), good("task-2"))
    aws.sqs().receive_message(QueueUrl=dlq.url, MaxNumberOfMessages=1)

    moved = move(order())

    assert moved.count == 1
    assert "about 1 more are held by other processes" in moved.error


def test_a_stop_ends_the_wait_for_what_others_hold(dlq: DeadLetterQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "WAIT_SECONDS", 1)
    dlq.put(good("task-1"))
    aws.sqs().receive_message(QueueUrl=dlq.url)
    stop, begun = Event(), time.monotonic()
    Timer(0.1, stop.set).start()

    moved = move(order(), stop)

    assert (moved.count, moved.was_stopped) == (0, True)
    assert time.monotonic() - begun < 15
