from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from qu_workflows.aws import clients as aws
from qu_workflows.dead_letters import sqs_moves
from qu_workflows.dead_letters.judging import Selection
from qu_workflows.dead_letters.queries import preview_redrive
from qu_workflows.dead_letters.services import DeadLetterResult, redrive
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused
from qu_workflows.records.models import AuditEntry, AuditOutcome
from tests.backend.qu_workflows.dead_letter_queues import (
    UNKNOWN,
    DeadLetterQueue,
    SqsMoves,
    answer,
    good,
    move,
    order,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_sqs_moves_a_whole_queue_by_itself_where_it_can(dlq: DeadLetterQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqs_moves, "POLL_SECONDS", 0.01)
    ids = dlq.put(good("task-1"), good("task-2"), good("task-3"))
    moves = SqsMoves(dlq, 3)
    counts: list[int] = []

    assert preview_redrive(Selection()).by_sqs
    moved = redrive(order(per_second=50), Event(), lambda moved: counts.append(moved.count))

    assert (moved.count, moved.by_sqs, moved.was_stopped, moved.error) == (3, True, False, "")
    assert counts == [1, 2, 3]
    assert moves.started == [
        {
            "SourceArn": "arn:aws:sqs:us-east-2:123456789012:tasks-dlq",
            "DestinationArn": "arn:aws:sqs:us-east-2:123456789012:tasks",
            "MaxNumberOfMessagesPerSecond": 50,
        }
    ]
    entry = AuditEntry.objects.get()
    assert (entry.target, entry.outcome) == ("tasks-dlq", AuditOutcome.DONE)
    assert (entry.details["moved"], entry.details["status"]) == (3, "COMPLETED")
    assert sorted(entry.details["ids"]) == sorted(ids)


@pytest.mark.parametrize("other", [good(), UNKNOWN])
def test_sqs_does_not_move_what_it_would_change_or_what_comes_back(dlq: DeadLetterQueue, other: str) -> None:
    dlq.put(good("task-1"), other)
    moves = SqsMoves(dlq, 2)

    moved = move(order())

    assert not moved.by_sqs
    assert moves.started == []
    assert moved.count + moved.left.total() == 2


def test_sqs_does_not_move_a_part_of_a_queue(dlq: DeadLetterQueue) -> None:
    dlq.put(good("task-1"))
    moves = SqsMoves(dlq, 1)

    assert move(order(Selection(task="custom_processing"))).count == 1
    assert moves.started == []


def test_a_stop_cancels_the_move_and_reports_the_count(dlq: DeadLetterQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqs_moves, "POLL_SECONDS", 0.01)
    dlq.put(good("task-1"), good("task-2"), good("task-3"))
    moves, stop = SqsMoves(dlq, 3), Event()

    moved = redrive(order(), stop, lambda _moved: stop.set())

    assert moves.cancelled == ["handle-1"]
    assert (moved.count, moved.was_stopped) == (1, True)
    assert AuditEntry.objects.get().details["status"] == "CANCELLED"


def test_a_move_of_sqs_that_fails_says_why(dlq: DeadLetterQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqs_moves, "POLL_SECONDS", 0.01)
    dlq.put(good("task-1"))
    SqsMoves(dlq, 1).failure = "AccessDenied"

    assert move(order()).error == "AccessDenied"


def test_while_sqs_moves_a_queue_nothing_else_does(dlq: DeadLetterQueue) -> None:
    kept = dlq.put(good("task-1"))
    SqsMoves(dlq, 1).status = "RUNNING"

    with pytest.raises(OperationRefused, match=r"is already being moved by SQS.*cancel-message-move-task.*handle-1"):
        move(order())

    assert dlq.is_untouched_with(kept)


def test_sqs_does_not_move_held_messages_that_were_not_validated(dlq: DeadLetterQueue) -> None:
    dlq.put(good("task-1"), good("task-2"))
    aws.sqs().receive_message(QueueUrl=dlq.url, MaxNumberOfMessages=1)
    SqsMoves(dlq, 2)

    assert not preview_redrive(Selection()).by_sqs


def test_the_move_before_is_not_taken_for_the_one_just_started(
    dlq: DeadLetterQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqs_moves, "POLL_SECONDS", 0.01)
    dlq.put(good("task-1"), good("task-2"), good("task-3"))
    moves = SqsMoves(dlq, 3)
    moves.status, moves.moved, moves.begun_at, moves.shown_late = "COMPLETED", 700, 1, 3

    assert move(order()) == DeadLetterResult(count=3, by_sqs=True)


def lost_once_started(moves: SqsMoves, request: dict[str, Any]) -> dict[str, Any]:
    if moves.started:
        raise EndpointConnectionError(endpoint_url="sqs")
    return moves._list(request)


@pytest.mark.parametrize("lost", ["unlisted", "unreached"])
def test_a_move_no_longer_listed_is_reported_as_running(
    dlq: DeadLetterQueue, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    monkeypatch.setattr(sqs_moves, "POLL_SECONDS", 0.01)
    dlq.put(good("task-1"))
    moves = SqsMoves(dlq, 1)
    if lost == "unlisted":
        moves.shown_late = 1000
    else:
        answer("ListMessageMoveTasks", lambda request: lost_once_started(moves, request))

    with pytest.raises(OperationFailed, match=r"continues although.*--task-handle handle-1"):
        move(order())

    assert len(moves.started) == 1
    assert AuditEntry.objects.get().outcome == AuditOutcome.FAILED


def test_a_move_that_fails_without_a_reason_is_no_success(
    dlq: DeadLetterQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqs_moves, "POLL_SECONDS", 0.01)
    dlq.put(good("task-1"))
    SqsMoves(dlq, 1)
    failed = {"Results": [{"Status": "FAILED", "StartedTimestamp": 5}]}
    answers: Iterator[dict[str, Any]] = iter([{"Results": []}, {"Results": []}, {"Results": []}, failed])
    answer("ListMessageMoveTasks", lambda _request: next(answers))

    assert move(order()).error == "SQS reports FAILED without a reason"
