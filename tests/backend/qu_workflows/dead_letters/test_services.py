import errno
import hashlib
import json
import os
import stat
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from pytest_django import Settings

from qu_workflows.aws import clients as aws
from qu_workflows.dead_letters.judging import Selection
from qu_workflows.dead_letters.queries import preview_purge
from qu_workflows.dead_letters.services import DeadLetterResult, FileArchive, purge
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused
from qu_workflows.records.models import AuditEntry, AuditOutcome
from tests.backend.qu_workflows.dead_letter_queues import NO_JSON, UNKNOWN, DeadLetterQueue, answer, good, refuse

ACTOR = "operator@host"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def save_to(tmp_path: Path) -> Path:
    return tmp_path / "made" / "purged.jsonl"


def run(save_to: Path, stop: Event | None = None, **selection: Any) -> DeadLetterResult:
    return purge(Selection(**selection), FileArchive(save_to), ACTOR, stop or Event(), lambda _purged: None)


def saved(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_is_deleted_is_saved_first_for_its_owner_alone(dlq: DeadLetterQueue, save_to: Path) -> None:
    attributes = {"blob": {"DataType": "Binary", "BinaryValue": b"\x00\x01"}}
    [rubbish] = dlq.put(NO_JSON, MessageAttributes=attributes)
    kept = dlq.put(good("task-1"))

    assert run(save_to, reason="NotJson") == DeadLetterResult(count=1)

    [line] = saved(save_to)
    assert (line["message_id"], line["body"], line["reason"]) == (rubbish, NO_JSON, "NotJson")
    assert line["message_attributes"]["blob"]["BinaryValue"] == "AAE="
    assert stat.S_IMODE(save_to.stat().st_mode) == 0o600
    assert dlq.is_untouched_with(kept)


def test_each_message_has_an_audit_entry_with_the_digest_of_its_body(dlq: DeadLetterQueue, save_to: Path) -> None:
    bodies = dict(zip(dlq.put(*(f"rubbish {n}" for n in range(12))), (f"rubbish {n}" for n in range(12)), strict=True))

    assert run(save_to).count == 12

    entries = AuditEntry.objects.all()
    assert {entry.target: entry.details["sha256"] for entry in entries} == {
        message_id: hashlib.sha256(body.encode()).hexdigest() for message_id, body in bodies.items()
    }
    assert {(entry.actor, entry.action, entry.outcome) for entry in entries} == {
        ("operator@host", "purge_dead_letters", AuditOutcome.DONE)
    }
    assert len({entry.batch for entry in entries}) == 1
    assert dlq.ids() == set()


def test_messages_are_deleted_by_task_and_by_id(dlq: DeadLetterQueue, save_to: Path, tmp_path: Path) -> None:
    [first, second, _third] = dlq.put(good("task-1"), good("task-2"), UNKNOWN)

    assert run(save_to, task="os.system").count == 1
    assert run(tmp_path / "second.jsonl", ids=["task-2"]).count == 1

    assert second not in dlq.ids()
    assert dlq.ids() == {first}


def test_a_preview_deletes_nothing(dlq: DeadLetterQueue) -> None:
    kept = dlq.put(good("task-1"), UNKNOWN)

    _reading, meant = preview_purge(Selection(reason="UnknownTask"))

    assert [letter.task_id for letter in meant] == ["unknown-1"]
    assert dlq.is_untouched_with(kept)


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        ({"ids": ["task-1", "gone"]}, "gone: is not a message"),
        ({"task": "no_such_task"}, "matches no message"),
    ],
)
def test_what_matches_nothing_is_refused_and_makes_no_file(
    dlq: DeadLetterQueue, save_to: Path, selection: dict[str, Any], said: str
) -> None:
    kept = dlq.put(good("task-1"))

    with pytest.raises(OperationRefused, match=said):
        run(save_to, **selection)

    assert dlq.is_untouched_with(kept)
    assert not save_to.exists()


def test_a_file_that_is_there_is_not_written_over(dlq: DeadLetterQueue, tmp_path: Path) -> None:
    kept = dlq.put(good("task-1"))
    there = tmp_path / "there.jsonl"
    there.write_text("mine")

    for path in (there, there / "below-a-file.jsonl"):
        with pytest.raises(OperationRefused, match="cannot be created"):
            run(path)

    assert there.read_text() == "mine"
    assert dlq.is_untouched_with(kept)
    assert not AuditEntry.objects.exists()


def test_each_message_that_sqs_does_not_delete_is_reported(dlq: DeadLetterQueue, save_to: Path) -> None:
    ids = dlq.put(good("task-1"), good("task-2"))
    answer("DeleteMessageBatch", refuse(0))

    purged = run(save_to)

    assert (purged.count, purged.failed) == (1, {ids[0]: "InternalError: try later"})
    entries = {entry.target: entry for entry in AuditEntry.objects.all()}
    assert [entries[message_id].outcome for message_id in ids] == ["failed", "done"]
    assert "InternalError" in entries[ids[0]].message


def test_when_sqs_is_lost_in_the_middle_the_count_is_true(dlq: DeadLetterQueue, save_to: Path) -> None:
    dlq.put(*(good(f"task-{n}") for n in range(12)))
    calls: list[int] = []

    def fail(**_call: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise EndpointConnectionError(endpoint_url="sqs")

    aws.sqs().meta.events.register("before-call.sqs.DeleteMessageBatch", fail)

    purged = run(save_to)

    assert purged.count == 10
    assert [why.partition(":")[0] for why in purged.failed.values()] == ["EndpointConnectionError"] * 2
    assert len(dlq.ids()) == 2
    assert AuditEntry.objects.filter(outcome=AuditOutcome.FAILED).count() == 2
    assert len(saved(save_to)) == 12


def test_a_stop_ends_between_two_batches(dlq: DeadLetterQueue, save_to: Path) -> None:
    dlq.put(*(good(f"task-{n}") for n in range(12)))
    stop = Event()

    purged = purge(Selection(), FileArchive(save_to), ACTOR, stop, lambda _purged: stop.set())

    assert (purged.count, purged.was_stopped) == (10, True)
    assert len(dlq.ids()) == 2


def test_a_process_that_dies_leaves_the_body_saved_and_the_entry_started(dlq: DeadLetterQueue, save_to: Path) -> None:
    [message_id] = dlq.put(good("task-1"))

    class Killed(BaseException):
        pass

    def die(**_call: Any) -> None:
        raise Killed

    aws.sqs().meta.events.register("before-call.sqs.DeleteMessageBatch", die)
    with pytest.raises(Killed):
        run(save_to)

    assert [line["message_id"] for line in saved(save_to)] == [message_id]
    assert AuditEntry.objects.get().outcome == AuditOutcome.STARTED


def test_a_task_name_that_postgresql_refuses_is_purged(dlq: DeadLetterQueue, save_to: Path) -> None:
    dlq.put('{"task": "a\\u0000b"}', '{"task": "\\ud800"}')

    assert run(save_to).count == 2

    assert {entry.details["task"] for entry in AuditEntry.objects.all()} == {"a\\x00b", "\\ud800"}
    assert [json.loads(line["body"])["task"] for line in saved(save_to)] == ["a\x00b", "\ud800"]


def test_what_a_full_disk_does_not_take_is_not_deleted(
    dlq: DeadLetterQueue, save_to: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = dlq.put(*(good(f"task-{n}") for n in range(12)))
    calls: list[int] = []

    def full(_descriptor: int) -> None:
        calls.append(1)
        if len(calls) != 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OperationFailed, match="No space left on device"):
        run(save_to)
    assert dlq.is_untouched_with(kept)
    assert not AuditEntry.objects.exists()

    purged = run(tmp_path / "second.jsonl")
    assert purged.count == 10
    assert "No space left on device). Messages that are not saved were not deleted." in purged.error
    assert len(dlq.ids()) == 2


def test_messages_taken_meanwhile_are_reported(dlq: DeadLetterQueue, save_to: Path) -> None:
    dlq.put(*(good(f"task-{n}") for n in range(12)))

    def take_the_rest(_purged: DeadLetterResult) -> None:
        aws.sqs().receive_message(QueueUrl=dlq.url, MaxNumberOfMessages=10)

    assert purge(Selection(), FileArchive(save_to), ACTOR, Event(), take_the_rest) == DeadLetterResult(
        count=10, missing=2
    )


def test_a_queue_of_living_tasks_is_not_purged(dlq: DeadLetterQueue, save_to: Path, settings: Settings) -> None:
    aws.sqs().send_message(QueueUrl=dlq.queue_url, MessageBody=good("alive"))
    settings.AWS_SQS_DLQ_URL = dlq.queue_url

    with pytest.raises(OperationRefused, match="belong together"):
        run(save_to)

    assert dlq.moved_ids() == ["alive"]
    assert not save_to.exists()
