"""manage.py tasks run: enqueues by name, follows the execution, and exits by its outcome."""

import time
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from qu_workflows.records.models import TaskRecord, TaskStatus
from tests.backend.qu_workflows.conftest import Queue
from tests.backend.qu_workflows.operated import Operated

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("tasks", "run", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def ends(request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Change the task's record while the command waits."""
    request.getfixturevalue("queue")
    changes: dict[str, Any] = {}
    settings.TASK_SEND_IN_BACKGROUND = False
    mine = TaskRecord.objects.filter(task="custom_processing")
    monkeypatch.setattr(time, "sleep", lambda _seconds: mine.update(**changes))
    return changes


def test_a_task_is_sent_to_the_queue_by_its_name(queue: Queue, settings: Settings) -> None:
    settings.TASK_SEND_IN_BACKGROUND = False

    said = run("custom_processing", "--payload", '{"data": "x"}')

    [record] = TaskRecord.objects.all()
    assert (record.task, record.payload) == ("custom_processing", {"data": "x"})
    assert f"manage.py executions show {record.pk}" in said
    assert len(queue.bodies()) == 1


def test_each_state_is_printed_until_the_result(operated: Operated, ends: dict[str, Any]) -> None:
    finished = operated.run()
    ends.update(status=TaskStatus.SUCCEEDED, execution_arn=finished.execution_arn, result={"size": 1})

    said = [
        line.split(" s  ")[-1] for line in run("custom_processing", "--payload", '{"data": "x"}', "--wait").splitlines()
    ]

    assert said[1] == "sent"
    assert said[2:4] == ["  Load: succeeded", "  Process: succeeded"]
    assert said[-3:] == ["  Finish: succeeded", "succeeded", '{"size": 1}']


def test_a_failed_task_fails_the_command_with_its_error(ends: dict[str, Any]) -> None:
    ends.update(status=TaskStatus.FAILED, error="Broken", cause="no such shift")

    with pytest.raises(CommandError, match="ended as FAILED with Broken: no such shift"):
        run("custom_processing", "--payload", '{"data": "x"}', "--wait")


@pytest.mark.usefixtures("ends")
def test_a_task_that_goes_on_is_named_after_the_wait() -> None:
    with pytest.raises(CommandError, match=r"is still SENT after 0 s\. .*manage\.py executions show"):
        run("custom_processing", "--payload", '{"data": "x"}', "--wait", "--wait-seconds", "0")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["count_sheep"], "'count_sheep' is not a task"),
        (["custom_processing", "--payload", "x"], "--payload is not JSON"),
        (["custom_processing", "--payload", "[1]"], "--payload is not a JSON object"),
        (["custom_processing", "--payload", '{"date": 1}'], "data"),
    ],
)
def test_a_wrong_name_or_payload_records_nothing(arguments: list[str], expected: str) -> None:
    with pytest.raises(CommandError, match=expected):
        run(*arguments)

    assert not TaskRecord.objects.exists()
