"""Deployed schedules: drift, pause, resume and manual runs."""

import json
import socket
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from threading import Event
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from moto import mock_aws
from pytest_django import Settings

from qu_workflows.aws import clients as aws
from qu_workflows.protocol.execution_names import scheduled_id
from qu_workflows.protocol.message import write_scheduled_message
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused
from qu_workflows.records.models import AuditAction, AuditEntry, AuditOutcome, TaskRecord, TaskStatus
from qu_workflows.schedules import deployed
from qu_workflows.schedules.deployed import forget_deployed_states
from qu_workflows.schedules.queries import DeployedState, deployed_state, deployed_states
from qu_workflows.schedules.services import pause, resume, run_now, why_not_run_now
from qu_workflows.tasks.scheduled_runs import reason_to_skip
from tests.backend.qu_workflows.conftest import Queue
from workflows.schedules import SCHEDULES_BY_NAME

pytestmark = pytest.mark.django_db(transaction=True)

GROUP = "qu-workflows-test-schedules"
ROLE = "arn:aws:iam::123456789012:role/scheduler"
DLQ = "arn:aws:sqs:us-east-2:123456789012:tasks-dlq"
NAME = "daily_report_digest"


def deploy(name: str = NAME, **changes: Any) -> None:
    """Create a schedule as the template does."""
    schedule = SCHEDULES_BY_NAME[name]
    minutes = schedule.flexible_window_minutes
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": minutes} if minutes else {"Mode": "OFF"}
    body: dict[str, Any] = {
        "Name": name,
        "GroupName": GROUP,
        "Description": schedule.description,
        "ScheduleExpression": schedule.expression,
        "ScheduleExpressionTimezone": schedule.time_zone,
        "FlexibleTimeWindow": window,
        "State": "ENABLED",
        "Target": {
            "Arn": "arn:aws:sqs:us-east-2:123456789012:tasks",
            "RoleArn": ROLE,
            "Input": write_scheduled_message(schedule),
            "RetryPolicy": {
                "MaximumRetryAttempts": schedule.retry_policy.maximum_retry_attempts,
                "MaximumEventAgeInSeconds": schedule.retry_policy.maximum_event_age_seconds,
            },
            "DeadLetterConfig": {"Arn": DLQ},
        },
    }
    aws.scheduler().create_schedule(**(body | changes))


@pytest.fixture
def group(settings: Settings) -> Iterator[str]:
    with mock_aws():
        settings.USE_ASYNC_TASKS = True
        settings.AWS_SQS_QUEUE_URL = "https://sqs.us-east-2.amazonaws.com/123456789012/tasks"
        settings.AWS_SCHEDULES_GROUP_NAME = GROUP
        aws.scheduler().create_schedule_group(Name=GROUP)
        forget_deployed_states()
        yield GROUP
        forget_deployed_states()


def found(name: str = NAME) -> dict[str, Any]:
    given = dict(aws.scheduler().get_schedule(GroupName=GROUP, Name=name))
    for key in ("ResponseMetadata", "LastModificationDate", "CreationDate"):
        given.pop(key, None)
    return given


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("schedules", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("name", sorted(SCHEDULES_BY_NAME))
@pytest.mark.usefixtures("group")
def test_a_schedule_that_is_deployed_as_declared_has_no_differences(name: str) -> None:
    deploy(name)

    state = deployed_state(name)

    assert (state.state, state.differences, state.why) == (DeployedState.RUNNING, (), "")
    assert state.changed_at is not None


@pytest.mark.usefixtures("group")
def test_manual_changes_are_listed_as_drift() -> None:
    deploy(ScheduleExpression="cron(0 9 * * ? *)", FlexibleTimeWindow={"Mode": "OFF"})

    drift = {one.what: (one.declared, one.deployed) for one in deployed_state(NAME).differences}

    assert drift == {
        "expression": ("cron(0 7 * * ? *)", "cron(0 9 * * ? *)"),
        "window in minutes": ("15", "0"),
    }


@pytest.mark.usefixtures("group")
def test_a_message_that_only_looks_different_is_none() -> None:
    deploy(Target=found_target(spaces=True))

    assert deployed_state(NAME).differences == ()


def found_target(*, spaces: bool) -> dict[str, Any]:
    message = json.loads(write_scheduled_message(SCHEDULES_BY_NAME[NAME]))
    return {
        "Arn": "arn:aws:sqs:us-east-2:123456789012:tasks",
        "RoleArn": ROLE,
        "Input": json.dumps(message, indent=2 if spaces else None),
        "RetryPolicy": {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86_400},
    }


@pytest.mark.usefixtures("group")
def test_a_schedule_that_is_not_deployed_says_so() -> None:
    state = deployed_state(NAME)

    assert state.state is DeployedState.NOT_DEPLOYED
    assert GROUP in state.why


@pytest.mark.usefixtures("group")
def test_a_schedule_is_paused_and_resumed_with_all_else_unchanged() -> None:
    deploy()
    before = found()

    assert pause(NAME, "ann") == f"{NAME} is paused now"
    paused = found()
    assert deployed_state(NAME).state is DeployedState.PAUSED
    resume(NAME, "ann")

    assert paused == before | {"State": "DISABLED"}
    assert found() == before
    assert deployed_state(NAME).state is DeployedState.RUNNING
    entries = AuditEntry.objects.order_by("id").values_list("action", "actor", "target", "outcome")
    assert list(entries) == [
        (AuditAction.PAUSE_SCHEDULE, "ann", NAME, AuditOutcome.DONE),
        (AuditAction.RESUME_SCHEDULE, "ann", NAME, AuditOutcome.DONE),
    ]


@pytest.mark.usefixtures("group")
def test_what_is_paused_already_is_refused_and_entered() -> None:
    deploy(State="DISABLED")

    with pytest.raises(OperationRefused, match="already paused"):
        pause(NAME, "ann")

    assert AuditEntry.objects.get().outcome == AuditOutcome.REFUSED


def test_once_aws_was_not_reached_it_is_asked_no_more(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.USE_ASYNC_TASKS = True
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    asked: list[str] = []
    aws.scheduler().meta.events.register("before-call.scheduler.GetSchedule", lambda **_call: asked.append("asked"))

    forget_deployed_states()

    states = deployed_states().value or {}

    assert states.keys() == SCHEDULES_BY_NAME.keys()
    assert {state.state for state in states.values()} == {DeployedState.UNKNOWN}
    assert all("was not reached" in state.why for state in states.values())
    assert len(asked) == 1
    with pytest.raises(OperationFailed):
        pause(NAME, "ann")


@pytest.mark.usefixtures("group")
def test_states_are_cached_until_a_change() -> None:
    deploy()
    asked: list[str] = []
    aws.scheduler().meta.events.register("before-call.scheduler.GetSchedule", lambda **_call: asked.append("asked"))

    for _ in range(3):
        assert deployed_state(NAME).state is DeployedState.RUNNING
    assert len(asked) == len(SCHEDULES_BY_NAME)

    pause(NAME, "ann")
    assert deployed_state(NAME).state is DeployedState.PAUSED


@pytest.mark.usefixtures("group")
def test_a_state_that_aws_reports_late_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = Event()
    monkeypatch.setattr(deployed, "get_schedule", lambda _schedule: answered.wait(10) and {})

    state = deployed_state(NAME, deployed_states(wait_seconds=0))
    answered.set()

    assert (state.state, state.why) == (DeployedState.UNKNOWN, "EventBridge Scheduler has not answered yet.")


def test_a_manual_run_has_its_own_id_and_is_sent(queue: Queue) -> None:
    record = run_now("watch_stuck", "ann")

    assert (record.schedule, record.status, record.workflow) == ("watch_stuck", TaskStatus.SENT, "run_task")
    [body] = queue.bodies()
    assert (body["id"], body["task"], body["payload"]) == (record.pk, "watch_stuck", {})
    assert reason_to_skip(record.pk) is None
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target, entry.details["task_id"]) == ("run_schedule", "watch_stuck", record.pk)


def test_two_clicks_are_one_run(queue: Queue) -> None:
    first = run_now("watch_stuck", "ann")

    with pytest.raises(OperationRefused, match=f"its run {first.pk} is on its way"):
        run_now("watch_stuck", "ben")

    assert [body["id"] for body in queue.bodies()] == [first.pk]


@pytest.mark.usefixtures("queue")
def test_a_manual_run_is_refused_during_a_scheduled_run() -> None:
    now = timezone.now()
    task_id = scheduled_id("watch_stuck", now)
    assert reason_to_skip(task_id) is None

    why = why_not_run_now("watch_stuck")

    assert why is not None
    assert task_id in str(why)


@pytest.mark.parametrize("name", ["watch_stuck", NAME])
@pytest.mark.usefixtures("queue")
def test_a_scheduled_run_is_skipped_while_one_by_hand_works(name: str) -> None:
    record = run_now(name, "ann")
    now = timezone.now()
    TaskRecord.objects.filter(pk=record.pk).update(status=TaskStatus.RUNNING, started_at=now)

    reason = reason_to_skip(scheduled_id(name, now))

    assert reason is not None
    assert record.pk in reason


@pytest.mark.usefixtures("queue")
def test_a_lost_manual_run_blocks_no_other() -> None:
    lost = run_now("watch_stuck", "ann")
    TaskRecord.objects.filter(pk=lost.pk).update(enqueued_at=timezone.now() - timedelta(minutes=6))

    assert run_now("watch_stuck", "ann").pk != lost.pk


@pytest.mark.usefixtures("group")
def test_the_command_previews_and_acts_with_yes() -> None:
    deploy()

    said = run("pause", NAME)
    assert "Nothing was changed" in said
    assert found()["State"] == "ENABLED"

    assert "is paused now" in run("pause", NAME, "--yes", "--as", "ann")
    assert found()["State"] == "DISABLED"
    assert AuditEntry.objects.get().actor.startswith("ann@")


@pytest.mark.usefixtures("queue")
def test_the_command_runs_a_schedule_now() -> None:
    assert "would run once, now" in run("run", "watch_stuck")
    assert TaskRecord.objects.count() == 0

    said = run("run", "watch_stuck", "--yes")

    assert TaskRecord.objects.get().pk in said


def test_a_schedule_that_is_not_declared_is_refused_with_exit_code_2() -> None:
    with pytest.raises(CommandError, match="is not a schedule") as raised:
        run("pause", "weekly", "--yes")

    assert raised.value.returncode == 2
