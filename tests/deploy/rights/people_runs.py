"""Runs of Django and of operators, to exercise BackendPolicy and OperatorPolicy.

The services behind the API, the pages, the console and the commands, each under the one policy alone.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event
from typing import Any
from unittest.mock import patch

from django.core.files.base import ContentFile
from django.test import TestCase
from django.utils import timezone

from deploy.template.check import REGION
from qu_workflows.protocol.message import payload_key_of
from qu_workflows.records.models import TaskRecord, TaskStatus
from tests.deploy.rights.doing import Runs
from tests.deploy.rights.function_runs import history
from tests.deploy.rights.policies import Ask
from tests.deploy.rights.resolving import ACCOUNT
from tests.deploy.rights.stack import Stack, client, names
from workflows.schedules import SCHEDULES_BY_NAME

RUNS = Runs()
POLICIES = {"backend": "BackendPolicy", "operator": "OperatorPolicy"}
GOOD = '{"id": "task-1", "task": "custom_processing", "payload": {"data": "example"}}'


def machine() -> str:
    return f"{names().ref('Prefix')}-production-run_task"


def record(task_id: str = "task-1", **changes: Any) -> TaskRecord:
    """Make the record of a task whose execution has failed."""
    now = timezone.now()
    given: dict[str, Any] = {
        "task": "custom_processing",
        "workflow": "run_task",
        "payload": {"data": "example"},
        "status": TaskStatus.FAILED,
        "enqueued_at": now - timedelta(minutes=5),
        "started_at": now - timedelta(minutes=5),
        "finished_at": now - timedelta(minutes=4),
        "execution_arn": f"arn:aws:states:{REGION}:{ACCOUNT}:execution:{machine()}:{task_id}",
    }
    return TaskRecord.objects.create(id=task_id, **given | changes)


# ---- Django ----


@RUNS.of("backend")
def tasks_are_enqueued(_stack: Stack, _person: str) -> Generator[None]:
    """Tasks: single, several at once, with a payload in S3, due in a week."""
    from common.tasks import custom_processing
    from qu_workflows.tasks.backends import StepFunctionsBackend

    yield
    with TestCase.captureOnCommitCallbacks(execute=True):
        custom_processing.enqueue("one")
        custom_processing.enqueue("x" * 300_000)
        custom_processing.using(run_after=timezone.now() + timedelta(days=7)).enqueue("later")
        StepFunctionsBackend("default", {}).enqueue_many(custom_processing, [(["two"], {}), (["three"], {})])
    sent = {(one.status, one.last_send_error) for one in TaskRecord.objects.all()}
    assert sent == {(TaskStatus.SENT, "")}


@RUNS.of("backend")
def files_come_in_and_one_that_belongs_to_nothing_goes(stack: Stack, _person: str) -> Generator[None]:
    from reports.files.storage import uploads

    yield
    name = uploads().save("guard_reports/door.jpg", ContentFile(b"\xff\xd8\xff"))
    assert f"media/{name}" in stack.stored_keys()
    uploads().delete(name)
    assert not stack.stored_keys()


@RUNS.of("backend")
def a_signed_link_shows_a_file_and_its_thumbnails(stack: Stack, _person: str) -> Generator[None]:
    """A signed link uses the permissions of the role that signed it.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
    """
    bucket = f"arn:aws:s3:::{stack.bucket}"
    via = {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
    yield
    for key in ("media/guard_reports/door.jpg", "thumbnails/a/small.webp"):
        stack.judge.ask(Ask("s3:GetObject", f"{bucket}/{key}"))
        stack.judge.ask(Ask("kms:Decrypt", names().arn("EncryptionKeyOfStack"), via))


@RUNS.of("backend")
def an_incident_is_acknowledged(stack: Stack, _person: str) -> Generator[None]:
    from qu_workflows.aws.task_tokens import beat, end_task

    stack.judge.answer("SendTaskSuccess", {})
    stack.judge.answer("SendTaskHeartbeat", {})
    yield
    beat("a token")
    end_task("a token", {"user_id": 1})


# ---- Operators: executions ----


def _describe(status: str = "FAILED", **changes: Any) -> Callable[[], dict[str, Any]]:
    now = timezone.now()
    arn = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:{machine()}:task-1"
    shown = {
        "executionArn": arn,
        "stateMachineArn": arn.replace(":execution:", ":stateMachine:").rpartition(":")[0],
        "name": "task-1",
        "status": status,
        "startDate": now - timedelta(minutes=5),
        "redriveCount": 0,
        "redriveStatus": "REDRIVABLE",
    }
    return lambda: shown | ({} if status == "RUNNING" else {"stopDate": now - timedelta(minutes=4)}) | changes


@RUNS.of("operator")
def an_execution_is_redriven(stack: Stack, _person: str) -> Generator[None]:
    from qu_workflows.executions.services import BulkAction, plan_named, run_plan

    record()
    stack.judge.answer("DescribeExecution", _describe())
    stack.judge.answer("RedriveExecution", {"redriveDate": timezone.now()})
    yield
    results = run_plan(BulkAction.REDRIVE, plan_named(BulkAction.REDRIVE, ["task-1"]), "operator")
    assert not results.failed, results


@RUNS.of("operator")
def an_execution_is_stopped(stack: Stack, _person: str) -> Generator[None]:
    from qu_workflows.executions.queries import find_record
    from qu_workflows.executions.services import stop_one

    record(status=TaskStatus.RUNNING, finished_at=None)
    stack.judge.answer("StopExecution", {"stopDate": timezone.now()})
    yield
    assert stop_one(find_record("task-1"), "operator", "because").startswith("stopped at ")


@RUNS.of("operator")
def a_task_is_restarted(stack: Stack, _person: str) -> Generator[None]:
    """A task with its payload in S3, which is uploaded again."""
    from qu_workflows.executions.queries import find_record
    from qu_workflows.executions.services import restart_one

    record(payload={"data": "x" * 300_000}, payload_key=payload_key_of("task-1"))
    yield
    with TestCase.captureOnCommitCallbacks(execute=True):
        restart_one(find_record("task-1"), "operator")
    assert len(stack.stored_keys()) == 1
    assert set(TaskRecord.objects.values_list("status", flat=True)) == {TaskStatus.FAILED, TaskStatus.SENT}


@RUNS.of("operator")
def an_execution_is_looked_at(stack: Stack, _person: str) -> Generator[None]:
    from qu_workflows.executions.queries import inspect_task
    from qu_workflows.executions.step_functions import definition_of_execution

    looked_at = record()
    stack.judge.answer("DescribeExecution", _describe())
    stack.judge.answer("GetExecutionHistory", {"events": history(timezone.now())})
    stack.judge.answer("DescribeStateMachineForExecution", {"definition": "{}"})
    yield
    assert not inspect_task(looked_at).unanswered
    assert definition_of_execution(looked_at.execution_arn) == {}


@RUNS.of("operator")
def a_state_machine_is_looked_at(stack: Stack, _person: str) -> Generator[None]:
    from qu_workflows.executions import state_machines

    arn, now = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{machine()}", timezone.now()
    versions = {"stateMachineVersions": [{"stateMachineVersionArn": f"{arn}:1", "creationDate": now}]}
    routes = [{"stateMachineVersionArn": f"{arn}:1", "weight": 100}]
    alias = {"stateMachineAliasArn": f"{arn}:live", "name": "live", "creationDate": now, "updateDate": now}
    stack.judge.answer("ListStateMachineVersions", versions)
    stack.judge.answer("ListStateMachineAliases", {"stateMachineAliases": [alias]})
    stack.judge.answer("DescribeStateMachineAlias", alias | {"routingConfiguration": routes})
    stack.judge.answer("DescribeStateMachine", {"definition": "{}"})
    state_machines.clear_state_machines()
    yield
    assert not state_machines.deployed(arn).unanswered


@RUNS.of("operator")
def what_a_step_has_logged_is_shown(stack: Stack, _person: str) -> Generator[None]:
    from qu_workflows.executions.queries import step_log

    now = timezone.now()
    stack.judge.answer("FilterLogEvents", {"events": []})
    yield
    assert not step_log("task-1", machine(), now - timedelta(minutes=1), now).unanswered


# ---- Operators: dead letters ----


def _dead_letter(stack: Stack) -> str:
    return str(stack.sqs.send_message(QueueUrl=stack.dlq_url, MessageBody=GOOD)["MessageId"])


@contextmanager
def _at_once() -> Iterator[None]:
    """moto is one server, and has no false empty answers."""
    with (
        patch("qu_workflows.dead_letters.receiving.WAIT_SECONDS", 0),
        patch("qu_workflows.dead_letters.sqs_moves.POLL_SECONDS", 0),
    ):
        yield


@RUNS.of("operator")
def dead_letters_are_listed_and_moved_back_by_their_ids(stack: Stack, _person: str) -> Generator[None]:
    from qu_workflows.dead_letters.queries import Selection, list_dead_letters
    from qu_workflows.dead_letters.services import DeadLetterRedrive, redrive

    message_id = _dead_letter(stack)
    stack.judge.answer("ListMessageMoveTasks", {"Results": []})
    wanted = DeadLetterRedrive(selection=Selection(ids=[message_id]), actor="operator")
    yield
    with _at_once():
        assert len(list_dead_letters().letters) == 1
        moved = redrive(wanted, Event(), lambda _: None)
    assert (moved.count, moved.failed, moved.in_both) == (1, {}, {}), moved


@RUNS.of("operator")
def all_dead_letters_are_moved_by_sqs_until_it_is_cancelled(stack: Stack, _person: str) -> Generator[None]:
    from qu_workflows.aws.queues import queue_pair
    from qu_workflows.dead_letters.receiving import QueuePass
    from qu_workflows.dead_letters.sqs_moves import move_all

    shown: list[str] = []
    started = {"StartedTimestamp": 1, "ApproximateNumberOfMessagesMoved": 0, "TaskHandle": "handle"}
    stack.judge.answer("ListMessageMoveTasks", lambda: {"Results": [started | {"Status": shown[-1]}] if shown else []})

    def become(status: str) -> dict[str, Any]:
        shown.append(status)
        return {"TaskHandle": "handle", "ApproximateNumberOfMessagesMoved": 0}

    stack.judge.answer("StartMessageMoveTask", lambda: become("RUNNING"))
    stack.judge.answer("CancelMessageMoveTask", lambda: become("CANCELLED"))
    stop = Event()
    stop.set()
    yield
    with _at_once():
        assert move_all(queue_pair(), 10, QueuePass(stop, lambda _: None)) == "CANCELLED"


@RUNS.of("operator")
def a_dead_letter_is_saved_and_purged(stack: Stack, _person: str) -> Generator[None]:
    from qu_workflows.dead_letters.services import purge_within_request

    message_id = _dead_letter(stack)
    yield
    with _at_once():
        purged, _where = purge_within_request([message_id], "operator")
    assert (purged.count, purged.failed) == (1, {}), purged
    assert all(key.startswith("purged/") for key in stack.stored_keys())


# ---- Operators: schedules ----


@RUNS.of("operator")
def a_schedule_is_paused_and_resumed(_stack: Stack, _person: str) -> Generator[None]:
    from qu_workflows.schedules.deployed import forget_deployed_states
    from qu_workflows.schedules.services import pause, resume

    schedule = SCHEDULES_BY_NAME["retention_sweep"]
    group = names().name("Schedules")
    where = {"Name": schedule.name, "GroupName": group}
    scheduler = client("scheduler")
    if not scheduler.list_schedules(GroupName=group)["Schedules"]:
        scheduler.create_schedule(
            **where,
            ScheduleExpression=schedule.expression,
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": names().arn("TasksQueue"), "RoleArn": names().arn("SchedulerRole"), "Input": "{}"},
        )
    found = scheduler.get_schedule(**where)
    settable = ("ScheduleExpression", "FlexibleTimeWindow", "Target")
    scheduler.update_schedule(**where, **{name: found[name] for name in settable}, State="ENABLED")
    forget_deployed_states()
    yield
    pause(schedule.name, "operator")
    resume(schedule.name, "operator")
