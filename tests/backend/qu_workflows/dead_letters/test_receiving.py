import json
from typing import Any

import pytest

from qu_workflows.aws import clients as aws
from qu_workflows.dead_letters import receiving
from qu_workflows.dead_letters.judging import judge
from qu_workflows.dead_letters.receiving import HOLD_SECONDS, MAX_HOLD_SECONDS, HeldMessages
from tests.backend.qu_workflows.dead_letter_queues import (
    DeadLetterQueue,
    answer,
    good,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_message_that_sqs_delivers_twice_is_handed_out_once(dlq: DeadLetterQueue) -> None:
    [message_id] = dlq.put(good("task-1"))
    held = HeldMessages(dlq.url)
    [message] = held.receive()
    again: dict[str, Any] = {"Messages": [{**message, "ReceiptHandle": "another"}]}
    answers = iter([again, {"Messages": []}])

    answer("ReceiveMessage", lambda _request: next(answers))

    assert held.receive() == []
    assert judge([message])[0].message_id == message_id


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


def test_who_receives_for_longer_holds_for_longer(dlq: DeadLetterQueue) -> None:
    now, timeouts = [0.0], list[int]()
    held = HeldMessages(dlq.url, now=lambda: now[0])
    aws.sqs().meta.events.register(
        "before-call.sqs.ReceiveMessage",
        lambda params, **_: timeouts.append(json.loads(params["body"])["VisibilityTimeout"]),
    )

    for now[0] in (0, 10, 30, 100, 10_000):
        held.receive()

    assert timeouts == [HOLD_SECONDS, HOLD_SECONDS, 60, 200, MAX_HOLD_SECONDS]


def test_a_returned_message_is_given_back_by_its_newest_receipt(dlq: DeadLetterQueue) -> None:
    dlq.put(good("task-1"), good("task-2"))
    held = HeldMessages(dlq.url)
    [first, second] = held.receive()
    back: dict[str, Any] = {"Messages": [{**first, "ReceiptHandle": "newest"}]}
    answers = iter([back, {"Messages": []}])
    answer("ReceiveMessage", lambda _request: next(answers))
    given_back: list[Any] = []
    aws.sqs().meta.events.register(
        "before-call.sqs.ChangeMessageVisibilityBatch",
        lambda params, **_: given_back.append(json.loads(params["body"])),
    )

    assert held.receive() == []
    held.give_back()

    receipts = {entry["Id"]: entry["ReceiptHandle"] for entry in given_back[0]["Entries"]}
    assert receipts == {first["MessageId"]: "newest", second["MessageId"]: second["ReceiptHandle"]}
    assert {entry["VisibilityTimeout"] for entry in given_back[0]["Entries"]} == {0}


def test_what_is_held_no_longer_is_neither_given_back_nor_counted(dlq: DeadLetterQueue) -> None:
    dlq.put(good("task-1"))
    now = [0.0]
    held = HeldMessages(dlq.url, now=lambda: now[0])
    held.receive()
    assert held.held_by_others() == 0
    calls: list[Any] = []
    aws.sqs().meta.events.register("before-call.sqs.ChangeMessageVisibilityBatch", lambda **call: calls.append(call))

    now[0] = HOLD_SECONDS + 1

    assert held.held_by_others() == 1
    held.give_back()
    assert calls == []


def test_many_known_messages_that_come_back_do_not_end_the_receiving(
    dlq: DeadLetterQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "MAX_FRUITLESS_RECEIVES", 1)
    [_, last] = dlq.put(good("task-1"), good("task-2"))
    held = HeldMessages(dlq.url)
    [first] = held.receive(most=1)
    [message] = HeldMessages(dlq.url).receive(most=1)
    answers = iter([{"Messages": [first]}, {"Messages": [message]}])
    answer("ReceiveMessage", lambda _request: next(answers))

    assert [each["MessageId"] for each in held.receive()] == [last]
    assert not held.is_cut_short
