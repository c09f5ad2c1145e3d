import json
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from botocore.exceptions import ClientError
from django.utils import timezone
from pytest_django import Settings

from qu_workflows.aws import clients as aws
from qu_workflows.aws.queues import queue_pair
from qu_workflows.dead_letters import messages as dead_letters
from qu_workflows.dead_letters.held_messages import HOLD_SECONDS, MAX_HOLD_SECONDS, HeldMessages
from qu_workflows.dead_letters.messages import Selection, find, judged, lacks_id, read, reasons
from qu_workflows.protocol.message import MessageRejected, read_message
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused
from qu_workflows.records.models import TaskRecord, TaskStatus
from tests.backend.qu_workflows.dead_letter_queues import (
    NO_JSON,
    UNFIT,
    UNKNOWN,
    DeadLetterQueue,
    answer,
    good,
    make_queues,
)

pytestmark = pytest.mark.django_db(transaction=True)


def task_record(pk: str, **fields: Any) -> None:
    given = {"task": "custom_processing", "workflow": "run_task", "enqueued_at": timezone.now()}
    TaskRecord.objects.create(pk=pk, **given | fields)


def test_each_message_is_read_once_and_left_where_it_is(dlq: DeadLetterQueue) -> None:
    ids = dlq.put(*(good(f"task-{n}") for n in range(23)))

    reading = read()

    assert [letter.message_id for letter in reading.letters] == ids
    assert (reading.is_complete, reading.approximate_total) == (True, 23)
    assert dlq.is_untouched_with(ids)


@pytest.mark.parametrize("body", [NO_JSON, UNKNOWN, UNFIT, "{}", good("has spaces in it")])
def test_why_is_what_the_dispatchers_check_says(dlq: DeadLetterQueue, body: str) -> None:
    [message_id] = dlq.put(body)
    with pytest.raises(MessageRejected) as refusal:
        read_message(body, message_id)

    [letter] = read().letters

    assert letter.reason == type(refusal.value).__name__
    assert letter.reason in reasons()
    assert f"{letter.why} {letter.remedy}" == str(refusal.value)
    assert not letter.is_taken


def test_what_waits_for_its_first_start_can_be_dispatched(dlq: DeadLetterQueue) -> None:
    dlq.put(good("unrecorded"), good("sent"))
    task_record("sent", status=TaskStatus.SENT)

    letters = {letter.task_id: letter for letter in read().letters}

    assert {letter.reason for letter in letters.values()} == {"CanBeDispatched"}
    assert {letter.why for letter in letters.values()} == {None}
    assert (letters["sent"].record_status, letters["unrecorded"].record_status) == ("SENT", "")


def test_what_was_started_before_says_that_a_move_starts_nothing(dlq: DeadLetterQueue) -> None:
    dlq.put(good("failed"))
    task_record("failed", status=TaskStatus.FAILED, execution_arn="arn:aws:states:us-east-2:1:execution:m:failed")

    [letter] = read().letters

    assert (letter.reason, letter.is_taken) == ("AlreadyStarted", True)
    assert "started and is FAILED" in str(letter.why)
    assert "manage.py executions redrive or restart" in letter.remedy


@pytest.mark.parametrize(
    "how", [{"ran_inline": True}, {"execution_arn": "arn:aws:states:local:000000000000:execution:m:here"}]
)
def test_what_ran_in_the_web_process_would_run_twice(dlq: DeadLetterQueue, how: dict[str, Any]) -> None:
    dlq.put(good("here"))
    task_record("here", status=TaskStatus.SUCCEEDED, **how)

    [letter] = read().letters

    assert (letter.reason, letter.is_taken) == ("RanInProcess", False)


def test_an_error_of_the_check_itself_is_told_and_not_raised(
    dlq: DeadLetterQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    dlq.put(good("a"))

    def broken(*_arguments: Any) -> None:
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr("qu_workflows.dead_letters.messages.read_message", broken)
    [letter] = read().letters

    assert (letter.reason, letter.is_taken) == ("ZeroDivisionError", False)
    assert "by nought" in str(letter.why)


def test_a_letter_tells_its_age_and_how_often_it_was_received(dlq: DeadLetterQueue) -> None:
    dlq.put(good(), MessageAttributes={"ERROR_CODE": {"DataType": "String", "StringValue": "X"}})
    read()

    [letter] = read(whole=lambda _letter: True).letters

    assert letter.receive_count == 2
    assert timedelta(0) <= timezone.now() - letter.sent_at < timedelta(minutes=1)
    assert letter.task_id == letter.message_id
    assert letter.message_attributes["ERROR_CODE"]["StringValue"] == "X"


def test_no_more_than_the_limit_is_read(dlq: DeadLetterQueue) -> None:
    ids = dlq.put(*(good(f"task-{n}") for n in range(13)))

    reading = read(limit=11)

    assert (len(reading.letters), reading.is_complete, reading.approximate_total) == (11, False, 13)
    assert dlq.is_untouched_with(ids)


def test_a_reading_that_is_stopped_or_fails_gives_everything_back(dlq: DeadLetterQueue) -> None:
    ids = dlq.put(*(good(f"task-{n}") for n in range(13)))
    stop = Event()
    stop.set()

    with pytest.raises(OperationFailed, match="Nothing was changed"):
        read(stop=stop)

    calls: list[int] = []

    def refuse(**_call: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise ClientError({"Error": {"Code": "ServiceUnavailable", "Message": "later"}}, "ReceiveMessage")

    aws.sqs().meta.events.register("before-call.sqs.ReceiveMessage", refuse)
    with pytest.raises(OperationFailed, match="answered ServiceUnavailable: later"):
        read()

    assert dlq.is_untouched_with(ids)


def test_a_queue_of_which_sqs_lets_nobody_hold_more_is_read_in_part(dlq: DeadLetterQueue) -> None:
    dlq.put(*(good(f"task-{n}") for n in range(13)))
    calls: list[int] = []

    def refuse(**_call: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise ClientError({"Error": {"Code": "OverLimit", "Message": "too many"}}, "ReceiveMessage")

    aws.sqs().meta.events.register("before-call.sqs.ReceiveMessage", refuse)
    reading = read()

    assert (len(reading.letters), reading.is_complete) == (10, False)


def test_a_message_is_found_by_its_own_id_and_by_its_tasks(dlq: DeadLetterQueue) -> None:
    [message_id, _other] = dlq.put(good("task-1"), good("task-2"))

    assert find(message_id).message_id == find("task-1").message_id == message_id
    with pytest.raises(OperationRefused, match="task-3: is no message of the dead-letter queue"):
        find("task-3")


def test_a_selection_asks_for_all_that_it_says(dlq: DeadLetterQueue) -> None:
    dlq.put(good("task-1"), UNKNOWN)
    first, second = read().letters

    assert Selection().is_everything
    assert Selection(task="custom_processing", ids=["task-1"], reason="CanBeDispatched").has(first)
    assert not Selection(task="os.system", ids=["task-1"]).has(first)
    assert not Selection(reason="CanBeDispatched").has(second)
    assert Selection(ids=["task-1", "gone"]).missing_from([first, second]) == ["gone"]


def test_a_body_lacks_its_id_only_where_the_message_id_stands_for_it() -> None:
    assert lacks_id(good())
    assert lacks_id(json.dumps({"id": None, "task": "gone"}))
    assert not lacks_id(good("task-1"))
    assert not lacks_id(good(schedule="send_outbox"))
    assert not lacks_id(NO_JSON)
    assert not lacks_id("[1]")


def test_what_is_held_is_renewed_before_others_would_get_it(dlq: DeadLetterQueue) -> None:
    dlq.put(good("task-1"))
    now = [0.0]
    held = HeldMessages(dlq.url, now=lambda: now[0])
    renewed: list[Any] = []
    aws.sqs().meta.events.register(
        "before-call.sqs.ChangeMessageVisibilityBatch", lambda params, **_: renewed.append(json.loads(params["body"]))
    )

    assert len(held.receive()) == 1
    now[0] = HOLD_SECONDS / 2 - 1
    assert held.receive() == []
    assert renewed == []
    now[0] = HOLD_SECONDS / 2
    assert held.receive() == []

    [request] = renewed
    assert [entry["VisibilityTimeout"] for entry in request["Entries"]] == [2 * HOLD_SECONDS]


def test_a_message_that_sqs_delivers_twice_is_handed_out_once(dlq: DeadLetterQueue) -> None:
    [message_id] = dlq.put(good("task-1"))
    held = HeldMessages(dlq.url)
    [message] = held.receive()
    again: dict[str, Any] = {"Messages": [{**message, "ReceiptHandle": "another"}]}
    answers = iter([again, {"Messages": []}])

    answer("ReceiveMessage", lambda _request: next(answers))

    assert held.receive() == []
    assert judged([message])[0].message_id == message_id


def test_a_deleted_message_that_comes_back_is_deleted_again(dlq: DeadLetterQueue) -> None:
    dlq.put(good("task-1"))
    held = HeldMessages(dlq.url)
    [message] = held.receive()
    assert held.delete([message["MessageId"]]) == {}
    deletions: list[Any] = []
    aws.sqs().meta.events.register(
        "before-call.sqs.DeleteMessageBatch", lambda params, **_: deletions.append(json.loads(params["body"]))
    )
    again: dict[str, Any] = {"Messages": [message]}
    answers = iter([again, {"Messages": []}])
    answer("ReceiveMessage", lambda _request: next(answers))

    assert held.receive() == []
    assert [entry["ReceiptHandle"] for entry in deletions[0]["Entries"]] == [message["ReceiptHandle"]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"AWS_SQS_DLQ_URL": ""}, "AWS_SQS_DLQ_URL: is not set. Set it to"),
        ({"AWS_SQS_QUEUE_URL": ""}, "AWS_SQS_QUEUE_URL: is not set. Set it to"),
        ({"AWS_SQS_QUEUE_URL": "tasks"}, "AWS_SQS_QUEUE_URL: is 'tasks', not the URL of a queue."),
    ],
)
@pytest.mark.usefixtures("dlq")
def test_settings_that_name_no_queue_are_refused(change: dict[str, str], said: str, settings: Settings) -> None:
    for name, value in change.items():
        setattr(settings, name, value)

    with pytest.raises(OperationRefused, match=said.replace(".", r"\.")):
        queue_pair()


def test_two_queues_that_do_not_belong_together_are_refused(dlq: DeadLetterQueue, settings: Settings) -> None:
    settings.AWS_SQS_QUEUE_URL, settings.AWS_SQS_DLQ_URL = dlq.url, dlq.queue_url

    with pytest.raises(OperationRefused, match="tasks-dlq sends its dead letters to no queue"):
        queue_pair()


def test_a_queue_that_is_not_there_is_a_wrong_setting(dlq: DeadLetterQueue, settings: Settings) -> None:
    settings.AWS_SQS_QUEUE_URL = f"{dlq.queue_url}-gone"

    with pytest.raises(OperationRefused, match=r"AWS_SQS_QUEUE_URL: is .*there is no such queue") as refusal:
        read()

    assert refusal.value.exit_code == 2


def test_a_dead_letter_queue_that_is_gone_is_a_wrong_setting(dlq: DeadLetterQueue) -> None:
    aws.sqs().delete_queue(QueueUrl=dlq.url)

    with pytest.raises(OperationRefused, match=r"AWS_SQS_DLQ_URL: is .*there is no such queue"):
        read()


def test_no_other_queue_is_looked_at_than_the_dead_letter_queue(dlq: DeadLetterQueue, settings: Settings) -> None:
    aws.sqs().send_message(QueueUrl=dlq.queue_url, MessageBody=good("alive"))
    settings.AWS_SQS_DLQ_URL = dlq.queue_url

    for look in (read, lambda: find("alive")):
        with pytest.raises(OperationRefused, match="belong together"):
            look()

    [alive] = dlq.moved()
    assert alive["Attributes"]["ApproximateReceiveCount"] == "1"  # this look's own


def test_bodies_are_kept_only_of_what_is_wanted_whole(dlq: DeadLetterQueue) -> None:
    attributes = {"ERROR_CODE": {"DataType": "String", "StringValue": "X"}}
    dlq.put(good(), good("task-2"), MessageAttributes=attributes)

    first, second = read(whole=lambda letter: letter.task_id == "task-2").letters

    assert (first.body, first.attributes, first.message_attributes, first.lacks_id) == ("", {}, {}, True)
    assert (json.loads(second.body)["id"], second.lacks_id) == ("task-2", False)
    assert second.message_attributes.keys() == attributes.keys()


def test_reading_ends_where_bodies_would_fill_the_memory(dlq: DeadLetterQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "MAX_KEPT_BYTES", 3000)
    ids = dlq.put(*(good(f"task-{n}", filler="x" * 1000) for n in range(5)))

    reading = read(whole=lambda _letter: True)

    assert (len(reading.letters), reading.is_complete, reading.approximate_total) == (3, False, 5)
    assert len(read().letters) == 5
    assert dlq.is_untouched_with(ids)


def test_a_name_of_any_length_is_kept_as_long_as_a_task_can_have_one(dlq: DeadLetterQueue) -> None:
    dlq.put(json.dumps({"task": "x" * 100_000}))

    [letter] = read().letters

    assert letter.task == "x" * 255


def test_what_somebody_else_holds_is_counted_and_not_called_nothing(dlq: DeadLetterQueue) -> None:
    dlq.put(good("task-1"), good("task-2"), good("task-3"))
    aws.sqs().receive_message(QueueUrl=dlq.url, MaxNumberOfMessages=1)

    reading = read()

    assert (len(reading.letters), reading.held_by_others, reading.is_complete) == (2, 1, False)


@pytest.mark.usefixtures("dlq")
def test_a_fifo_queue_that_shows_a_part_of_a_group_is_read_in_part(settings: Settings) -> None:
    fifo = make_queues(settings, ".fifo")
    for number in range(12):
        fifo.put(good(f"task-{number}"), MessageGroupId="one", MessageDeduplicationId=str(number))

    reading = read()

    assert (len(reading.letters), reading.is_complete, reading.approximate_total) == (10, False, 12)


def test_who_holds_for_long_renews_seldom(dlq: DeadLetterQueue) -> None:
    dlq.put(good("task-1"))
    now = [0.0]
    held = HeldMessages(dlq.url, now=lambda: now[0])
    renewed: list[int] = []
    aws.sqs().meta.events.register(
        "before-call.sqs.ChangeMessageVisibilityBatch",
        lambda params, **_: renewed.append(json.loads(params["body"])["Entries"][0]["VisibilityTimeout"]),
    )

    held.receive()
    for second in range(3600):
        now[0] = second
        held._renew()

    assert renewed[:3] == [40, 80, 160]
    assert max(renewed) == MAX_HOLD_SECONDS
    assert len(renewed) < 12


def test_what_others_received_meanwhile_is_held_no_longer(dlq: DeadLetterQueue) -> None:
    dlq.put(good("task-1"), good("task-2"))
    now = [0.0]
    held = HeldMessages(dlq.url, now=lambda: now[0])
    held.receive()
    requests: list[int] = []

    def refuse_one(request: dict[str, Any]) -> dict[str, Any]:
        requests.append(len(request["Entries"]))
        return {"Successful": [{"Id": "1"}], "Failed": [{"Id": "0", "Code": "MessageNotInflight"}]}

    answer("ChangeMessageVisibilityBatch", refuse_one)
    for now[0] in (HOLD_SECONDS / 2, 3 * HOLD_SECONDS):
        held._renew()

    assert requests == [2, 1]


@pytest.mark.usefixtures("dlq")
def test_a_right_that_is_missing_says_which_policy_gives_it() -> None:
    said = {"Error": {"Code": "AccessDenied", "Message": "no identity-based policy allows sqs:ReceiveMessage"}}
    answer("ReceiveMessage", ClientError(said, "ReceiveMessage"))  # type: ignore[arg-type]  # a part of an answer

    with pytest.raises(OperationFailed, match="OperatorPolicyArn"):
        read()


@pytest.mark.usefixtures("queue_down")
def test_a_queue_that_is_not_reached_is_told(settings: Settings) -> None:
    settings.AWS_SQS_DLQ_URL = f"{settings.AWS_SQS_QUEUE_URL}-dlq"

    with pytest.raises(OperationFailed, match="SQS: was not reached") as failure:
        read()

    assert failure.value.exit_code == 1
