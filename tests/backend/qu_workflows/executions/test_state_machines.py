"""State machines as deployed in the engine, and the counts of their tasks."""

import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from qu_workflows.aws import clients as aws
from qu_workflows.executions import state_machines
from qu_workflows.executions.state_machines import (
    AliasRoute,
    StateMachine,
    contracts_of,
    deployed,
    find_machine,
    list_machines,
    state_machine_arn,
)
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.models import TaskRecord, TaskStatus
from tests.backend.qu_workflows.operated import Operated
from tests.workflows.engine.server.served import ROLE
from workflows.project import PROJECT

pytestmark = pytest.mark.django_db
ARN = "arn:aws:states:us-east-2:123456789012:execution:qu-dev-guard_report:"
MACHINE_ARN = "arn:aws:states:us-east-2:123456789012:stateMachine:qu-dev-guard_report"
NOW = timezone.now()


@pytest.fixture(autouse=True)
def _forget_answers() -> Iterator[None]:
    state_machines.clear_state_machines()
    yield
    state_machines.clear_state_machines()


def definition(name: str) -> str:
    return json.dumps({"Comment": name, "StartAt": name, "States": {name: {"Type": "Succeed"}}})


def published(operated: Operated, name: str, *names: str) -> str:
    """Make a state machine and publish one version for each name; its ARN."""
    arn = operated.sfn.create_state_machine(name=name, definition=definition("First"), roleArn=ROLE)["stateMachineArn"]
    for each in names:
        operated.sfn.update_state_machine(stateMachineArn=arn, definition=definition(each), publish=True)
    return arn


def test_versions_and_the_weights_of_aliases_are_shown(operated: Operated) -> None:
    arn = published(operated, "shifting", "One", "Two")
    routes: list[Any] = [
        {"stateMachineVersionArn": f"{arn}:1", "weight": 90},
        {"stateMachineVersionArn": f"{arn}:2", "weight": 10},
    ]
    operated.sfn.create_state_machine_alias(name="live", routingConfiguration=routes)

    found = deployed(arn)

    assert [version.number for version in found.versions] == ["2", "1"]
    [alias] = found.aliases
    assert (alias.name, alias.routes) == ("live", (AliasRoute("1", 90), AliasRoute("2", 10)))
    assert found.live_version == "1"
    assert found.unanswered == ""


def test_the_definition_is_that_of_the_version_which_runs_most(operated: Operated) -> None:
    arn = published(operated, "shifted", "One", "Two")
    operated.sfn.create_state_machine_alias(
        name="live", routingConfiguration=[{"stateMachineVersionArn": f"{arn}:1", "weight": 100}]
    )

    found = deployed(arn)

    assert found.definition is not None
    assert found.definition["Comment"] == "One"


def test_without_an_alias_the_definition_is_that_of_today(operated: Operated) -> None:
    found = deployed(published(operated, "plain"))

    assert found.definition is not None
    assert (found.definition["Comment"], found.aliases, found.versions) == ("First", (), ())


def test_one_that_is_not_there_is_said_in_a_sentence(operated: Operated) -> None:
    arn = f"{published(operated, 'known')}-gone"

    found = deployed(arn)

    assert found.definition is None
    assert "StateMachineDoesNotExist" in found.unanswered


def test_a_service_that_does_not_answer_is_called_once_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", f"http://127.0.0.1:{closed.getsockname()[1]}")
        aws.forget_clients()
        asked: Counter[str] = Counter()
        aws.step_functions().meta.events.register("before-send.stepfunctions", lambda **_: asked.update(["call"]))

        first, second = (
            deployed("arn:aws:states:us-east-2:1:stateMachine:m"),
            deployed("arn:aws:states:us-east-2:1:stateMachine:m"),
        )

    assert "was not reached" in first.unanswered
    assert second is first
    assert asked["call"] <= aws.ATTEMPTS


def test_an_answer_is_cached_for_30_seconds(operated: Operated, monkeypatch: pytest.MonkeyPatch) -> None:
    arn = published(operated, "kept")
    first = deployed(arn)
    operated.sfn.update_state_machine(stateMachineArn=arn, definition=definition("Changed"))

    assert deployed(arn) is first

    now = time.monotonic()
    monkeypatch.setattr(state_machines._cache, "_clock", lambda: now + 31)
    changed = deployed(arn).definition
    assert changed is not None
    assert changed["Comment"] == "Changed"


def test_an_execution_names_its_state_machine() -> None:
    arn = "arn:aws-cn:states:cn-north-1:1:execution:qu-dev-guard_report:0190-aaaa"

    assert state_machine_arn(arn) == "arn:aws-cn:states:cn-north-1:1:stateMachine:qu-dev-guard_report"


def record(status: str, *, ago: timedelta = timedelta(hours=1), seconds: float = 0, **values: Any) -> TaskRecord:
    """Save a task of guard_report of a given age and duration."""
    at = NOW - ago
    ended = status not in (TaskStatus.READY, TaskStatus.SENT, TaskStatus.RUNNING)
    given: dict[str, Any] = {
        "task": "process_guard_report",
        "workflow": "guard_report",
        "status": status,
        "enqueued_at": at,
        "started_at": at,
        "finished_at": at + timedelta(seconds=seconds) if ended else None,
    }
    return TaskRecord.objects.create(**given | values)


def listed(workflow: str = "guard_report") -> StateMachine:
    return next(each for each in list_machines(NOW) if each.workflow == workflow)


def test_the_success_rate_is_of_those_that_have_ended() -> None:
    for status in (TaskStatus.SUCCEEDED, TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.RUNNING, TaskStatus.SENT):
        record(status)
    record(TaskStatus.ABORTED, ago=timedelta(days=2))
    record(TaskStatus.FAILED, ago=timedelta(days=8))

    found = listed()

    assert (found.day.tasks, found.day.ended, found.day.succeeded) == (5, 3, 2)
    assert (found.week.tasks, found.week.ended, found.week.succeeded) == (6, 4, 2)
    assert found.week.success_rate == 0.5
    assert found.running == 1


def test_what_runs_is_counted_however_long_ago_it_began() -> None:
    record(TaskStatus.RUNNING, ago=timedelta(days=30))

    assert listed().running == 1


def test_the_median_is_that_of_what_succeeded() -> None:
    for seconds in (1, 3, 100):
        record(TaskStatus.SUCCEEDED, seconds=seconds)
    record(TaskStatus.FAILED, seconds=9999)

    assert listed().median_seconds == 3


def test_a_workflow_without_a_task_is_listed_without_numbers() -> None:
    found = listed("notification_email")

    assert (found.day.success_rate, found.median_seconds, found.arn, found.version) == (None, None, "", "")
    assert found.tasks == ("send_notification_email",)
    assert found.states == 2


def test_the_newest_execution_names_the_state_machine_and_version() -> None:
    record(TaskStatus.SUCCEEDED, execution_arn=f"{ARN}old", state_machine_version_arn=f"{MACHINE_ARN}:3")
    newer = timedelta(minutes=9)
    record(TaskStatus.RUNNING, ago=newer, execution_arn=f"{ARN}new", state_machine_version_arn=f"{MACHINE_ARN}:4")
    record(TaskStatus.SUCCEEDED, ago=timedelta(0), execution_arn="arn:aws:states:local:0:execution:guard_report:x")
    record(TaskStatus.SENT, ago=timedelta(0))

    assert (listed().arn, listed().version) == (MACHINE_ARN, "4")


def test_a_workflow_that_has_not_run_for_a_week_is_found() -> None:
    record(TaskStatus.SUCCEEDED, ago=timedelta(days=40), execution_arn=f"{ARN}old")

    assert listed().arn == ""
    assert find_machine("guard_report", NOW).arn == MACHINE_ARN


def test_all_workflows_take_four_queries_however_many_tasks_there_are(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for workflow in PROJECT.workflows:
        for number in range(3):
            record(TaskStatus.SUCCEEDED, workflow=workflow, execution_arn=f"{ARN}{workflow}{number}")

    with django_assert_num_queries(4):
        found = list_machines(NOW)

    assert [each.workflow for each in found] == list(PROJECT.workflows)
    assert all(each.week.tasks == 3 for each in found)


def test_records_of_another_workflow_are_not_counted() -> None:
    at: datetime = NOW - timedelta(minutes=1)
    record(TaskStatus.SUCCEEDED, enqueued_at=at, execution_arn=f"{ARN}mine")
    record(
        TaskStatus.SUCCEEDED,
        workflow="run_task",
        enqueued_at=at,
        execution_arn="arn:aws:states:us-east-2:1:execution:qu-dev-run_task:x",
    )

    assert listed().arn == MACHINE_ARN
    assert listed("run_task").arn == "arn:aws:states:us-east-2:1:stateMachine:qu-dev-run_task"


def test_an_unknown_workflow_is_refused_with_those_there_are() -> None:
    with pytest.raises(OperationRefused, match="guard_report"):
        find_machine("no_such", NOW)


def test_a_contract_says_what_a_payload_holds() -> None:
    [contract] = contracts_of("notification_email")

    assert contract.task == "send_notification_email"
    by_name = {each.name: each for each in contract.inputs}
    assert by_name["user_id"].type == "integer"
    assert by_name["subject"].required
    assert "max_length 200" in by_name["subject"].limits
    assert not by_name["context"].required


def test_every_django_task_is_in_the_contract_of_run_task() -> None:
    assert "custom_processing" in {each.task for each in contracts_of("run_task")}
