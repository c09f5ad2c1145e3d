import json
from threading import Event
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pytest_django import Settings

from qu_workflows.aws import clients as aws
from qu_workflows.aws.queues import queue_pair
from qu_workflows.dead_letters import queries
from qu_workflows.dead_letters.judging import Selection
from qu_workflows.dead_letters.queries import EVERYTHING, find_dead_letter, list_dead_letters
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused
from tests.backend.qu_workflows.dead_letter_queues import (
    DeadLetterQueue,
    answer,
    good,
    make_queues,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_message_is_read_once_and_left_where_it_is(dlq: DeadLetterQueue) -> None:
    ids = dlq.put(*(good(f"task-{n}") for n in range(23)))

    reading = list_dead_letters()

    assert [letter.message_id for letter in reading.letters] == ids
    assert (reading.is_complete, reading.approximate_total) == (True, 23)
    assert dlq.is_untouched_with(ids)


def test_no_more_than_the_limit_is_read(dlq: DeadLetterQueue) -> None:
    ids = dlq.put(*(good(f"task-{n}") for n in range(13)))

    reading = list_dead_letters(limit=11)

    assert (len(reading.letters), reading.is_complete, reading.approximate_total) == (11, False, 13)
    assert dlq.is_untouched_with(ids)


def test_a_reading_that_is_stopped_or_fails_gives_everything_back(dlq: DeadLetterQueue) -> None:
    ids = dlq.put(*(good(f"task-{n}") for n in range(13)))
    stop = Event()
    stop.set()

    with pytest.raises(OperationFailed, match="Nothing was changed"):
        list_dead_letters(stop=stop)

    calls: list[int] = []

    def refuse(**_call: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise ClientError({"Error": {"Code": "ServiceUnavailable", "Message": "later"}}, "ReceiveMessage")

    aws.sqs().meta.events.register("before-call.sqs.ReceiveMessage", refuse)
    with pytest.raises(OperationFailed, match="answered ServiceUnavailable: later"):
        list_dead_letters()

    assert dlq.is_untouched_with(ids)


def test_a_queue_at_the_in_flight_quota_is_incomplete(dlq: DeadLetterQueue) -> None:
    dlq.put(*(good(f"task-{n}") for n in range(13)))
    calls: list[int] = []

    def refuse(**_call: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise ClientError({"Error": {"Code": "OverLimit", "Message": "too many"}}, "ReceiveMessage")

    aws.sqs().meta.events.register("before-call.sqs.ReceiveMessage", refuse)
    reading = list_dead_letters()

    assert (len(reading.letters), reading.is_complete) == (10, False)


def test_a_message_is_found_by_its_own_id_and_by_its_tasks(dlq: DeadLetterQueue) -> None:
    [message_id, _other] = dlq.put(good("task-1"), good("task-2"))

    assert find_dead_letter(message_id).message_id == find_dead_letter("task-1").message_id == message_id
    with pytest.raises(OperationRefused, match="task-3: is not a message in the dead-letter queue"):
        find_dead_letter("task-3")


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

    with pytest.raises(OperationRefused, match=r"AWS_SQS_QUEUE_URL: is .*that queue does not exist") as refusal:
        list_dead_letters()

    assert refusal.value.exit_code == 2


def test_a_dead_letter_queue_that_is_gone_is_a_wrong_setting(dlq: DeadLetterQueue) -> None:
    aws.sqs().delete_queue(QueueUrl=dlq.url)

    with pytest.raises(OperationRefused, match=r"AWS_SQS_DLQ_URL: is .*that queue does not exist"):
        list_dead_letters()


def test_no_other_queue_is_looked_at_than_the_dead_letter_queue(dlq: DeadLetterQueue, settings: Settings) -> None:
    aws.sqs().send_message(QueueUrl=dlq.queue_url, MessageBody=good("alive"))
    settings.AWS_SQS_DLQ_URL = dlq.queue_url

    for look in (list_dead_letters, lambda: find_dead_letter("alive")):
        with pytest.raises(OperationRefused, match="belong together"):
            look()

    [alive] = dlq.moved()
    assert alive["Attributes"]["ApproximateReceiveCount"] == "1"  # this look's own


def test_bodies_are_kept_only_of_what_is_wanted_whole(dlq: DeadLetterQueue) -> None:
    attributes = {"ERROR_CODE": {"DataType": "String", "StringValue": "X"}}
    dlq.put(good(), good("task-2"), MessageAttributes=attributes)

    first, second = list_dead_letters(bodies_of=Selection(ids=["task-2"])).letters

    assert (first.body, first.attributes, first.message_attributes, first.lacks_id) == ("", {}, {}, True)
    assert (json.loads(second.body)["id"], second.lacks_id) == ("task-2", False)
    assert second.message_attributes.keys() == attributes.keys()


def test_reading_ends_where_bodies_would_fill_the_memory(dlq: DeadLetterQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "MAX_KEPT_BYTES", 3000)
    ids = dlq.put(*(good(f"task-{n}", filler="x" * 1000) for n in range(5)))

    reading = list_dead_letters(bodies_of=EVERYTHING)

    assert (len(reading.letters), reading.is_complete, reading.approximate_total) == (3, False, 5)
    assert len(list_dead_letters().letters) == 5
    assert dlq.is_untouched_with(ids)


def test_messages_held_by_others_are_counted(dlq: DeadLetterQueue) -> None:
    dlq.put(good("task-1"), good("task-2"), good("task-3"))
    aws.sqs().receive_message(QueueUrl=dlq.url, MaxNumberOfMessages=1)

    reading = list_dead_letters()

    assert (len(reading.letters), reading.held_by_others, reading.is_complete) == (2, 1, False)


@pytest.mark.usefixtures("dlq")
def test_a_partly_hidden_fifo_group_is_incomplete(settings: Settings) -> None:
    fifo = make_queues(settings, ".fifo")
    for number in range(12):
        fifo.put(good(f"task-{number}"), MessageGroupId="one", MessageDeduplicationId=str(number))

    reading = list_dead_letters()

    assert (len(reading.letters), reading.is_complete, reading.approximate_total) == (10, False, 12)


@pytest.mark.usefixtures("dlq")
def test_a_right_that_is_missing_says_which_policy_gives_it() -> None:
    said = {"Error": {"Code": "AccessDenied", "Message": "no identity-based policy allows sqs:ReceiveMessage"}}
    answer("ReceiveMessage", ClientError(said, "ReceiveMessage"))  # type: ignore[arg-type]  # a part of an answer

    with pytest.raises(OperationFailed, match="OperatorPolicyArn"):
        list_dead_letters()


@pytest.mark.usefixtures("queue_down")
def test_an_unreachable_queue_is_reported(settings: Settings) -> None:
    settings.AWS_SQS_DLQ_URL = f"{settings.AWS_SQS_QUEUE_URL}-dlq"

    with pytest.raises(OperationFailed, match="SQS: was not reached") as failure:
        list_dead_letters()

    assert failure.value.exit_code == 1
