import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from qu_workflows.dead_letters.judging import Selection, lacks_id, reasons
from qu_workflows.dead_letters.queries import EVERYTHING, list_dead_letters
from qu_workflows.protocol.errors import MessageRejected
from qu_workflows.protocol.message import read_message
from qu_workflows.records.models import TaskRecord, TaskStatus
from tests.backend.qu_workflows.dead_letter_queues import (
    NO_JSON,
    UNFIT,
    UNKNOWN,
    DeadLetterQueue,
    good,
)

pytestmark = pytest.mark.django_db(transaction=True)


def task_record(pk: str, **fields: Any) -> None:
    given = {"task": "custom_processing", "workflow": "run_task", "enqueued_at": timezone.now()}
    TaskRecord.objects.create(pk=pk, **given | fields)


@pytest.mark.parametrize("body", [NO_JSON, UNKNOWN, UNFIT, "{}", good("has spaces in it")])
def test_why_is_what_the_dispatchers_check_says(dlq: DeadLetterQueue, body: str) -> None:
    [message_id] = dlq.put(body)
    with pytest.raises(MessageRejected) as refusal:
        read_message(body, message_id)

    [letter] = list_dead_letters().letters

    assert letter.reason == type(refusal.value).__name__
    assert letter.reason in reasons()
    assert f"{letter.why} {letter.remedy}" == str(refusal.value)
    assert not letter.is_accepted


def test_what_waits_for_its_first_start_can_be_dispatched(dlq: DeadLetterQueue) -> None:
    dlq.put(good("unrecorded"), good("sent"))
    task_record("sent", status=TaskStatus.SENT)

    letters = {letter.task_id: letter for letter in list_dead_letters().letters}

    assert {letter.reason for letter in letters.values()} == {"CanBeDispatched"}
    assert {letter.why for letter in letters.values()} == {None}
    assert (letters["sent"].record_status, letters["unrecorded"].record_status) == ("SENT", "")


def test_what_was_started_before_says_that_a_move_starts_nothing(dlq: DeadLetterQueue) -> None:
    dlq.put(good("failed"))
    task_record("failed", status=TaskStatus.FAILED, execution_arn="arn:aws:states:us-east-2:1:execution:m:failed")

    [letter] = list_dead_letters().letters

    assert (letter.reason, letter.is_accepted) == ("AlreadyStarted", True)
    assert "started and is FAILED" in str(letter.why)
    assert "manage.py executions redrive or restart" in letter.remedy


@pytest.mark.parametrize(
    "how", [{"ran_inline": True}, {"execution_arn": "arn:aws:states:local:000000000000:execution:m:here"}]
)
def test_what_ran_in_the_web_process_would_run_twice(dlq: DeadLetterQueue, how: dict[str, Any]) -> None:
    dlq.put(good("here"))
    task_record("here", status=TaskStatus.SUCCEEDED, **how)

    [letter] = list_dead_letters().letters

    assert (letter.reason, letter.is_accepted) == ("RanInProcess", False)


def test_an_error_of_the_check_is_reported(dlq: DeadLetterQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    dlq.put(good("a"))

    def broken(*_arguments: Any) -> None:
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr("qu_workflows.dead_letters.judging.read_message", broken)
    [letter] = list_dead_letters().letters

    assert (letter.reason, letter.is_accepted) == ("ZeroDivisionError", False)
    assert "by nought" in str(letter.why)


def test_a_letter_has_its_age_and_receive_count(dlq: DeadLetterQueue) -> None:
    dlq.put(good(), MessageAttributes={"ERROR_CODE": {"DataType": "String", "StringValue": "X"}})
    list_dead_letters()

    [letter] = list_dead_letters(bodies_of=EVERYTHING).letters

    assert letter.receive_count == 2
    assert timedelta(0) <= timezone.now() - letter.sent_at < timedelta(minutes=1)
    assert letter.task_id == letter.message_id
    assert letter.message_attributes["ERROR_CODE"]["StringValue"] == "X"


def test_a_selection_asks_for_all_that_it_says(dlq: DeadLetterQueue) -> None:
    dlq.put(good("task-1"), UNKNOWN)
    first, second = list_dead_letters().letters

    assert Selection().is_everything
    assert Selection(task="custom_processing", ids=["task-1"], reason="CanBeDispatched").has(first)
    assert not Selection(task="os.system", ids=["task-1"]).has(first)
    assert not Selection(reason="CanBeDispatched").has(second)
    assert Selection(ids=["task-1", "gone"]).missing_from([first, second]) == ["gone"]


def test_a_body_lacks_its_id_without_id_and_schedule() -> None:
    assert lacks_id(good())
    assert lacks_id(json.dumps({"id": None, "task": "gone"}))
    assert not lacks_id(good("task-1"))
    assert not lacks_id(good(schedule="send_outbox"))
    assert not lacks_id(NO_JSON)
    assert not lacks_id("[1]")


def test_a_long_task_name_is_cut(dlq: DeadLetterQueue) -> None:
    dlq.put(json.dumps({"task": "x" * 100_000}))

    [letter] = list_dead_letters().letters

    assert letter.task == "x" * 255
