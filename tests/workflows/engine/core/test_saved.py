"""Saved executions continue, also from rows of earlier versions."""

from pathlib import Path

import orjson
import pytest

from asl_engine.core.advance import commands_to_resume
from asl_engine.core.commands import ContinueLater, InvokeTask, SetTimer
from asl_engine.core.events import Redrive, Start, TaskStarted, TaskSubmitted
from asl_engine.core.execution import Branch, Phase, Status
from asl_engine.core.saved import VERSION, branch_from_row, branch_to_row, execution_from_row
from asl_engine.jsontext import Json
from tests.workflows.engine.core.drive import START_MS, Drive, machine, task

HISTORIES = Path(__file__).parents[3] / "histories"
CALLBACK = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
ACTIVITY = "arn:aws:states:us-east-1:111111111111:activity:work"


def test_a_row_omits_defaults() -> None:
    assert branch_to_row(Branch(1, None, (), 0, "One")) == {
        "v": VERSION,
        "phase": "ready",
        "id": 1,
        "parent_id": None,
        "index": 0,
        "state": "One",
    }


@pytest.mark.parametrize("value", [None, False, 0, 0.0, "", [], {}, [0], {"a": False}])
def test_a_value_equal_to_a_default_is_restored(value: Json) -> None:
    branch = Branch(
        1, None, (("Each", -1),), 3, "One", Phase.TASK, input=value, item=value, output=value, retries={1: 2}
    )

    back = branch_from_row(orjson.loads(orjson.dumps(branch_to_row(branch))))

    assert back == branch
    assert [type(got) for got in (back.input, back.item, back.output)] == [type(value)] * 3


def test_a_row_of_a_later_version_is_refused() -> None:
    with pytest.raises(ValueError, match="format 99, saved by a later version"):
        branch_from_row({"v": 99, "phase": "ready"})


def test_a_waiting_execution_is_small() -> None:
    drive = Drive(machine(("Wait", {"Type": "Wait", "Seconds": 9})), {"report_id": 1})
    drive.send(Start())

    rows = [branch_to_row(branch) for branch in drive.execution.branches.values()]
    assert sum(len(orjson.dumps(row)) for row in rows) < 400


def commands_of(drive: Drive) -> list[object]:
    drive.reload()
    return list(commands_to_resume(drive.program, drive.execution))


def test_a_task_in_flight_is_performed_again_with_its_token_and_timeouts() -> None:
    drive = Drive(machine(("Do", task(TimeoutSeconds=60)), TimeoutSeconds=90))
    drive.send(Start())
    sent = drive.invoked[0]
    drive.send(TaskStarted(sent.branch_id, sent.token))

    assert commands_of(drive) == [
        SetTimer(0, 0, START_MS + 90_000),
        sent,
        SetTimer(sent.branch_id, sent.token, START_MS + 60_000),
    ]


def test_a_submitted_task_is_only_awaited() -> None:
    drive = Drive(machine(("Do", task(CALLBACK))))
    drive.send(Start())
    sent = drive.invoked[0]
    drive.send(TaskSubmitted(sent.branch_id, sent.token, {"MessageId": "m"}))

    (command,) = commands_of(drive)
    assert isinstance(command, InvokeTask)
    assert (command.submission, command.task_token) == ({"MessageId": "m"}, sent.task_token)


def test_an_activity_that_a_worker_has_is_not_offered_again() -> None:
    drive = Drive(machine(("Do", task(ACTIVITY))))
    drive.send(Start())
    assert commands_of(drive) == drive.invoked

    sent = drive.invoked[0]
    drive.send(TaskStarted(sent.branch_id, sent.token, "worker"))
    assert commands_of(drive) == []


def test_a_wait_keeps_its_end_and_a_long_step_continues() -> None:
    waiting = Drive(machine(("Wait", {"Type": "Wait", "Seconds": 9})))
    waiting.send(Start())
    looping = Drive(machine(("Loop", {"Type": "Pass", "Next": "Loop"})))
    looping.send(Start())
    done = Drive(machine(("One", {"Type": "Pass"}))).start()

    assert [command.at_ms for command in commands_of(waiting) if isinstance(command, SetTimer)] == [START_MS + 9000]
    assert commands_of(looping) == [ContinueLater()]
    assert commands_of(done) == []


@pytest.mark.parametrize("path", sorted(HISTORIES.glob("*.json")), ids=lambda path: path.stem)
def test_executions_saved_by_every_version_resume(path: Path) -> None:
    saved = orjson.loads(path.read_bytes())
    drive = Drive(saved["definition"], saved["input"], tasks=saved["tasks"])
    drive.execution = execution_from_row(saved["execution"], saved["input"], saved["branches"])
    drive.now_ms = saved["now_ms"]
    if drive.status is Status.RUNNING:
        drive.resume()
    else:
        drive.send(Redrive())
    drive.run()

    assert drive.status is Status.SUCCEEDED
    assert drive.output == saved["output"]


def test_there_is_a_saved_execution_of_this_version() -> None:
    versions = {orjson.loads(path.read_bytes())["execution"]["v"] for path in HISTORIES.glob("*.json")}

    assert VERSION in versions
