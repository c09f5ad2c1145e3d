import getpass
import json
import os
import signal
import socket
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from qu_workflows.aws import clients as aws
from qu_workflows.dead_letters import services, sqs_moves
from qu_workflows.dead_letters.receiving import HeldMessages
from qu_workflows.records.models import AuditEntry, TaskRecord, TaskStatus
from qu_workflows.records.shutdown import stop_event
from tests.backend.qu_workflows.dead_letter_queues import (
    NO_JSON,
    UNFIT,
    UNKNOWN,
    DeadLetterQueue,
    SqsMoves,
    answer,
    good,
    refuse,
)

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("dlq", *arguments, stdout=out)
    return out.getvalue()


def refused(*arguments: str) -> tuple[int, str]:
    with pytest.raises(CommandError) as error:
        run(*arguments)
    return error.value.returncode, str(error.value)


def test_list_shows_each_message_with_its_reason_and_counts_them(dlq: DeadLetterQueue) -> None:
    ids = dlq.put(good("task-1"), UNKNOWN, UNFIT, NO_JSON, good("task-2"))

    lines = run("list").splitlines()

    assert lines[0].split() == ["MESSAGE", "ID", "AGE", "RECEIVES", "TASK", "WHY"]
    assert [line.split()[0] for line in lines[1:6]] == ids
    assert lines[1].endswith("custom_processing     can be dispatched now")
    assert "UnknownTask: /task: 'os.system' is not in the catalog." in lines[2]
    assert "      2  CanBeDispatched  can be dispatched now" in lines[6:]
    assert "      1  PayloadDoesNotFit" in lines[6:]
    assert dlq.is_untouched_with(ids)


def test_list_prints_any_text_on_one_line(dlq: DeadLetterQueue) -> None:
    dlq.put(json.dumps({"task": "two\nlines\x1b[2J", "payload": {}}))

    assert "\x1b" not in run("list")
    assert len(run("list").splitlines()) == 3


@pytest.mark.parametrize(
    ("filters", "shown"),
    [
        (["--task", "os.system"], ["unknown-1"]),
        (["--reason", "CanBeDispatched"], ["task-1"]),
        ([], ["task-1", "unknown-1"]),
    ],
)
def test_list_in_json_has_everything_of_what_is_meant(
    dlq: DeadLetterQueue, filters: list[str], shown: list[str]
) -> None:
    dlq.put(good("task-1"), UNKNOWN)

    letters = json.loads(run("list", "--json", *filters))

    assert [letter["task_id"] for letter in letters] == shown
    assert all(json.loads(letter["body"])["task"] == letter["task"] for letter in letters)


def test_list_says_when_it_read_only_a_part(dlq: DeadLetterQueue) -> None:
    dlq.put(*(good(f"task-{n}") for n in range(3)))

    assert "2 of about 3 messages were read." in run("list", "--limit", "2")

    out, err = StringIO(), StringIO()
    call_command("dlq", "list", "--limit", "2", "--json", stdout=out, stderr=err)
    assert len(json.loads(out.getvalue())) == 2
    assert err.getvalue() == "2 of about 3 messages were read.\n"


def test_a_queue_with_held_messages_is_not_called_empty(dlq: DeadLetterQueue) -> None:
    dlq.put(good("task-1"))
    aws.sqs().receive_message(QueueUrl=dlq.url)

    assert run("list").startswith("About 1 more are not shown: other processes hold them")


@pytest.mark.usefixtures("dlq")
def test_an_empty_queue_is_called_empty() -> None:
    for arguments in (["list"], ["redrive", "--all"]):
        assert run(*arguments) == "The dead-letter queue is empty.\n"
    assert run("redrive", "--all", "--yes") == "Moved 0 messages to the task queue.\n"


def test_show_prints_all_of_one_message(dlq: DeadLetterQueue) -> None:
    [message_id] = dlq.put(UNKNOWN, MessageAttributes={"ERROR_CODE": {"DataType": "String", "StringValue": "X"}})

    shown = run("show", message_id)

    for text in (
        f"Message id:    {message_id}",
        "Task:          os.system",
        "Task id:       unknown-1",
        "Reason:        UnknownTask",
        "Why:           /task: 'os.system' is not in the catalog.",
        "Register the task and run make states.",
        "ERROR_CODE",
        '    "task": "os.system"',
    ):
        assert text in shown
    assert json.loads(run("show", "unknown-1", "--json"))["message_id"] == message_id


def test_show_explains_a_message_that_was_started(dlq: DeadLetterQueue) -> None:
    dlq.put(good("task-1"))
    TaskRecord.objects.create(
        pk="task-1", task="custom_processing", workflow="run_task", status=TaskStatus.FAILED, enqueued_at=timezone.now()
    )

    shown = run("show", "task-1")

    assert "Task record:   FAILED" in shown
    assert "its execution has started and is FAILED: a redrive starts nothing" in shown
    assert "manage.py executions redrive or restart" in shown


def test_redrive_shows_first_and_moves_with_yes(dlq: DeadLetterQueue) -> None:
    ids = dlq.put(good("task-1"), UNKNOWN)

    shown = run("redrive", "--all")

    assert "Would move 1 to tasks, one by one, at most 100 per second (0:00:00): 1 can be dispatched now." in shown
    assert "Would leave 1: 1 UnknownTask." in shown
    assert shown.endswith("Nothing was changed. Repeat with --yes to do it.\n")
    assert dlq.is_untouched_with(ids)

    assert run("redrive", "--all", "--yes", "--as", "sam") == (
        "Moved 1 messages to the task queue.\nLeft 1: 1 UnknownTask. See manage.py dlq list.\n"
    )
    assert dlq.moved_ids() == ["task-1"]
    assert AuditEntry.objects.get().actor == f"sam@{socket.gethostname()}"


def test_redrive_says_of_what_is_rejected_that_it_comes_back(dlq: DeadLetterQueue) -> None:
    dlq.put(UNKNOWN)

    assert "come back after three receives" in run("redrive", "--task", "os.system", "--even-rejected")
    assert "Would move 0" in run("redrive", "--task", "os.system")
    assert run("redrive", "--task", "os.system", "--even-rejected", "--yes") == "Moved 1 messages to the task queue.\n"
    assert AuditEntry.objects.get().actor == f"{getpass.getuser()}@{socket.gethostname()}"


def test_redrive_lets_sqs_move_a_whole_queue(dlq: DeadLetterQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqs_moves, "POLL_SECONDS", 0.01)
    dlq.put(good("task-1"), good("task-2"), good("task-3"))
    SqsMoves(dlq, 3)

    assert "by SQS (StartMessageMoveTask)" in run("redrive", "--all")
    assert run("redrive", "--all", "--yes") == "Moved about 3 messages to the task queue.\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_redrive_between_two_batches_with_a_true_count(
    dlq: DeadLetterQueue, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    dlq.put(*(good(f"task-{n}") for n in range(25)))
    delete = HeldMessages.delete

    def delete_and_signal(held: HeldMessages, message_ids: Any) -> dict[str, str]:
        os.kill(os.getpid(), number)
        return delete(held, message_ids)

    monkeypatch.setattr(HeldMessages, "delete", delete_and_signal)

    out = StringIO()
    with pytest.raises(CommandError, match="Stopped before the end") as error:
        call_command("dlq", "redrive", "--all", "--yes", stdout=out)

    assert error.value.returncode == 1
    assert out.getvalue() == "Moved 10 messages to the task queue.\n"
    assert (len(dlq.ids()), len(dlq.moved())) == (15, 10)


def test_after_a_command_signals_have_their_usual_effect() -> None:
    # Set here: a run that was started in the background of a shell begins with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with stop_event() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert stop.is_set()
            with pytest.raises(KeyboardInterrupt):  # a second Ctrl-C ends the process
                os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_redrive_reports_its_progress(dlq: DeadLetterQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qu_workflows.dead_letters.management.commands.dlq.REPORT_EVERY_SECONDS", 0)
    dlq.put(*(good(f"task-{n}") for n in range(12)))

    assert run("redrive", "--all", "--yes").splitlines()[:2] == ["10 moved", "12 moved"]


def test_redrive_reports_messages_that_were_not_moved(dlq: DeadLetterQueue) -> None:
    [message_id] = dlq.put(good("task-1"))
    answer("SendMessageBatch", refuse(0))

    code, said = refused("redrive", "--all", "--yes")

    assert code == 1
    assert f"{message_id} was not moved: InternalError: try later." in said
    assert dlq.is_untouched_with([message_id])


def test_redrive_reports_messages_in_both_queues(dlq: DeadLetterQueue) -> None:
    dlq.put(good("task-1"))
    answer("DeleteMessageBatch", refuse(0))

    assert "1 were sent but could not be deleted: they are in both queues" in run("redrive", "--all", "--yes")


def test_purge_shows_first_and_deletes_with_yes(dlq: DeadLetterQueue, tmp_path: Path) -> None:
    ids = dlq.put(good("task-1"), UNKNOWN)
    path = tmp_path / "purged.jsonl"

    shown = run("purge", "--reason", "UnknownTask", "--save", str(path))

    assert f"Would save 1 to {path} and delete them: 1 UnknownTask." in shown
    assert dlq.is_untouched_with(ids)
    assert not path.exists()

    assert run("purge", "--reason", "UnknownTask", "--save", str(path), "--yes") == (
        f"Deleted 1 messages; they are in {path}.\n"
    )
    assert json.loads(path.read_text())["task_id"] == "unknown-1"
    assert dlq.ids() == {ids[0]}


def test_purge_saves_below_the_local_folder_where_nothing_is_said(
    dlq: DeadLetterQueue, settings: Settings, tmp_path: Path
) -> None:
    settings.LOCAL_DIR = tmp_path
    dlq.put(NO_JSON)

    assert "Deleted 1 messages" in run("purge", "--all", "--yes")
    [path] = (tmp_path / "purged").iterdir()
    assert json.loads(path.read_text())["body"] == NO_JSON


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "gone"], "gone: is not a message in the dead-letter queue"),
        (["list", "--task", "gone"], "gone: matches none of the 1 messages read."),
        (["list", "--limit", "0"], "--limit: is 0. Give 1 or more."),
        (["redrive"], "dlq: no messages are selected. Give --task, --id or --all."),
        (["redrive", "--all", "--task", "custom_processing"], "--all: is given together with a narrower selection."),
        (["redrive", "--all", "--per-second", "501"], "--per-second: is 501. Give 1 to 500"),
        (["redrive", "--id", "gone", "--yes"], "gone: is not a message in the dead-letter queue"),
        (["redrive", "--task", "gone", "--yes"], "gone: matches no message of the dead-letter queue."),
        (["redrive", "--all", "--yes", "--as", "x" * 200], "--as: is over"),
        (["purge", "--yes"], "dlq: no messages are selected."),
        (["purge", "--id", "gone", "--yes"], "gone: is not a message in the dead-letter queue"),
        (["purge", "--task", "gone", "--yes"], "purge: matches no message of the dead-letter queue."),
        (["purge", "--all", "--yes", "--save", "/dev/null"], "/dev/null: cannot be created"),
    ],
)
def test_a_refusal_exits_with_2_and_changes_nothing(dlq: DeadLetterQueue, arguments: list[str], said: str) -> None:
    kept = dlq.put(good("task-1"))

    code, text = refused(*arguments)

    assert code == 2
    assert said in text
    assert dlq.is_untouched_with(kept)
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(
    "action", [["list"], ["show", "a"], ["redrive", "--all", "--yes"], ["purge", "--all", "--yes"]]
)
@pytest.mark.usefixtures("dlq")
def test_without_the_setting_every_action_says_what_to_set(action: list[str], settings: Settings) -> None:
    settings.AWS_SQS_DLQ_URL = ""

    assert refused(*action) == (
        2,
        "AWS_SQS_DLQ_URL: is not set. Set it to the dead-letter queue's URL"
        " (the stack's output TasksDeadLetterQueueUrl).",
    )


@pytest.mark.parametrize("action", [["list"], ["redrive", "--all", "--yes"], ["purge", "--all", "--yes"]])
@pytest.mark.usefixtures("queue_down")
def test_an_unreachable_aws_exits_with_1(action: list[str], settings: Settings) -> None:
    settings.AWS_SQS_DLQ_URL = f"{settings.AWS_SQS_QUEUE_URL}-dlq"

    code, said = refused(*action)

    assert code == 1
    assert said.startswith("SQS: was not reached")
    assert not AuditEntry.objects.exists()


def test_the_default_pace_is_below_what_the_dispatcher_starts() -> None:
    assert services.DEFAULT_PER_SECOND < 150


def test_several_ids_are_given_side_by_side_or_one_by_one(dlq: DeadLetterQueue) -> None:
    dlq.put(good("task-1"), good("task-2"), good("task-3"), good("task-4"))

    run("redrive", "--id", "task-1", "task-2", "--id", "task-3", "--yes")

    assert dlq.moved_ids() == ["task-1", "task-2", "task-3"]
