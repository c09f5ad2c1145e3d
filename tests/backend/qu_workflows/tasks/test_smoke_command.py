import hashlib
import time
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from qu_workflows.records.models import TaskRecord, TaskStatus
from tests.backend.qu_workflows.conftest import Queue

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("smoke", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Change the task's record while the command waits."""
    changes: dict[str, Any] = {}
    monkeypatch.setattr(time, "sleep", lambda _seconds: TaskRecord.objects.update(**changes))
    return changes


def test_without_a_queue_the_task_runs_here_and_every_step_is_said(settings: Settings) -> None:
    settings.USE_ASYNC_TASKS = False

    lines = run().splitlines()

    assert lines[0].split("  ")[-1].startswith("recorded as task ")
    assert lines[-2].endswith("succeeded")
    assert lines[-1].endswith("its record has the expected result")


@pytest.mark.usefixtures("queue")
def test_a_task_that_never_starts_is_reported_with_a_remedy(ends: dict[str, Any], settings: Settings) -> None:
    settings.TASK_SEND_IN_BACKGROUND = False
    ends["status"] = TaskStatus.SENT

    with pytest.raises(
        CommandError, match=r"still SENT after 0\.3 s\. Its execution has not started: check the dispatcher's log"
    ):
        run("--wait-seconds", "0.3")


@pytest.mark.usefixtures("queue_down")
def test_an_unreachable_queue_is_named(ends: dict[str, Any], settings: Settings) -> None:
    settings.TASK_SEND_IN_BACKGROUND = False
    ends["cause"] = ""

    with pytest.raises(CommandError, match=r"still READY after 0\.1 s\. .*Endpoint"):
        run("--wait-seconds", "0.1")


def test_a_task_that_fails_is_reported_with_its_error(queue: Queue, ends: dict[str, Any]) -> None:
    ends.update(status=TaskStatus.FAILED, error="PermissionDenied", cause="no such table")

    with pytest.raises(CommandError, match="ended as FAILED with PermissionDenied: no such table"):
        run()
    assert queue.bodies()


@pytest.mark.usefixtures("queue")
def test_a_result_of_something_else_is_no_success(ends: dict[str, Any]) -> None:
    ends.update(status=TaskStatus.SUCCEEDED, result={"sha256": hashlib.sha256(b"other").hexdigest()})

    with pytest.raises(CommandError, match="instead of"):
        run()
