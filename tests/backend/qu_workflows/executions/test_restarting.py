from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from qu_workflows.aws import clients as aws
from qu_workflows.executions.restarting import restart_one
from qu_workflows.executions.search import TaskFilter
from qu_workflows.executions.services import ActionPlan, ActionResults, BulkAction, plan_matching, plan_named, run_plan
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.models import UNSUCCESSFUL, AuditEntry, TaskRecord, TaskStatus
from qu_workflows.tasks.queries import name_of
from tests.backend.qu_workflows.conftest import Queue
from tests.backend.qu_workflows.sample import tasks
from tests.backend.qu_workflows.tasks.test_running import side_by_side

pytestmark = pytest.mark.django_db(transaction=True)


def ended(pk: str = "first", status: str = TaskStatus.FAILED, **changes: Any) -> TaskRecord:
    values: dict[str, Any] = {"task": "sample_sum", "workflow": "run_task", "payload": {"first": 1}} | changes
    return TaskRecord.objects.create(pk=pk, status=status, enqueued_at=timezone.now(), **values)


def plan_of(*ids: str, even_succeeded: bool = False) -> ActionPlan:
    return plan_named(BulkAction.RESTART, ids, even_succeeded=even_succeeded)


def run(plan: ActionPlan, *, even_succeeded: bool = False) -> ActionResults:
    return run_plan(BulkAction.RESTART, plan, "ana", even_succeeded=even_succeeded)


def restart(*ids: str, even_succeeded: bool = False) -> list[str]:
    results = run(plan_of(*ids, even_succeeded=even_succeeded), even_succeeded=even_succeeded)
    assert not results.failed
    return [result.message for result in results.done]


def refusal(*ids: str, even_succeeded: bool = False) -> str:
    with pytest.raises(OperationRefused) as refused:
        plan_of(*ids, even_succeeded=even_succeeded)
    return str(refused.value)


def test_a_task_is_restarted_as_a_further_attempt_with_the_same_payload(queue: Queue) -> None:
    ended(positional_count=1, subject_id=7, payload={"first": 1}, message_group_id="g")

    assert restart("first") == ["restarted as first-attempt-2"]

    [body] = queue.bodies()
    assert (body["id"], body["task"], body["payload"]) == ("first-attempt-2", "sample_sum", {"first": 1})
    new = TaskRecord.objects.get(pk="first-attempt-2")
    assert (new.status, new.attempt_of, new.positional_count, new.message_group_id) == ("SENT", "first", 1, "g")
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.target, entry.outcome) == ("ana", "restart_execution", "first", "done")
    assert (entry.message, entry.details) == ("restarted as first-attempt-2", {"new_id": "first-attempt-2"})


@pytest.mark.usefixtures("queue")
def test_a_restart_returns_its_new_record_or_is_refused_and_audited() -> None:
    record = ended()

    new = restart_one(record, "ana")
    with pytest.raises(OperationRefused, match="first: its attempt first-attempt-2 is SENT"):
        restart_one(record, "ben")

    assert (new.pk, new.attempt_of, new.status) == ("first-attempt-2", "first", "SENT")
    assert list(AuditEntry.objects.order_by("id").values_list("actor", "outcome")) == [
        ("ana", "done"),
        ("ben", "refused"),
    ]


@pytest.mark.usefixtures("queue")
def test_attempts_are_counted_from_the_first_and_none_runs_beside_another() -> None:
    ended()
    restart("first")
    assert "first: its attempt first-attempt-2 is SENT." in refusal("first")
    TaskRecord.objects.filter(pk="first-attempt-2").update(status=TaskStatus.ABORTED)

    plan = plan_of("first", "first-attempt-2")

    assert list(plan.new_ids.values()) == ["first-attempt-3"]
    assert restart("first-attempt-2") == ["restarted as first-attempt-3"]
    assert TaskRecord.objects.get(pk="first-attempt-3").attempt_of == "first"


@pytest.mark.usefixtures("queue")
def test_a_scheduled_run_stays_its_schedules() -> None:
    ended("watch_stuck-20261124T120000Z", schedule="watch_stuck")

    restart("watch_stuck-20261124T120000Z")

    assert TaskRecord.objects.get(pk="watch_stuck-20261124T120000Z-attempt-2").schedule == "watch_stuck"


def test_two_that_restart_at_once_start_one_attempt(queue: Queue) -> None:
    ended()
    plan = plan_of("first")

    outcomes = side_by_side(lambda: run(plan))

    assert sorted(len(results.done) for results in outcomes) == [0] * (len(outcomes) - 1) + [1]
    assert [body["id"] for body in queue.bodies()] == ["first-attempt-2"]
    assert TaskRecord.objects.count() == 2
    assert AuditEntry.objects.filter(outcome="refused").count() == len(outcomes) - 1


def test_two_restarts_of_a_removed_first_attempt_start_one(queue: Queue) -> None:
    ended("first-attempt-2", attempt_of="first")
    ended("first-attempt-3", attempt_of="first")
    plan = plan_of("first-attempt-2")
    other = plan_of("first-attempt-3")
    plans = iter([plan, other, plan, other])

    side_by_side(lambda: run(next(plans)))

    assert [body["id"] for body in queue.bodies()] == ["first-attempt-4"]


@pytest.mark.parametrize("status", [TaskStatus.READY, TaskStatus.SENT, TaskStatus.RUNNING])
def test_what_is_under_way_is_not_restarted(status: str) -> None:
    ended(status=status)

    assert refusal("first").startswith(f"first: it is {status}. ")


@pytest.mark.usefixtures("queue")
def test_a_success_is_restarted_only_by_its_option() -> None:
    ended(status=TaskStatus.SUCCEEDED)

    assert refusal("first") == "first: it SUCCEEDED. To run it again, add --even-succeeded."
    assert restart("first", even_succeeded=True) == ["restarted as first-attempt-2"]


def test_a_payload_that_no_longer_fits_is_refused_with_the_reason() -> None:
    ended(payload={"first": "text"})
    ended("second", task="forgotten_task")
    ended("third", payload={}, payload_key="payloads/third.json")

    assert (
        "first: its payload does not match the current parameters of sample_sum: /payload: first: is a string"
        in refusal("first")
    )
    assert refusal("second") == "second: the task forgotten_task no longer exists. Register it, and run make states."
    assert "third: its payload is not in the record." in refusal("third")
    assert refusal("first", "second").startswith(
        "executions: the action does not apply to 2 of 2 tasks; nothing was changed."
    )
    assert TaskRecord.objects.count() == 3


def test_a_large_payload_is_written_again_under_its_own_key(queue: Queue, bucket: str) -> None:
    text = "x" * 300_000
    ended(task=name_of(tasks.give_back), payload={"value": text}, payload_key="payloads/first.json")

    restart("first")

    [body] = queue.bodies()
    assert body["payload_key"] == "payloads/first-attempt-2.json"
    written = aws.s3().get_object(Bucket=bucket, Key="payloads/first-attempt-2.json")["Body"].read()
    assert text.encode() in written


@pytest.mark.usefixtures("queue_down")
def test_when_the_queue_is_down_the_attempt_stays_recorded() -> None:
    ended()

    [said] = restart("first")

    assert said.startswith("restarted as first-attempt-2, which is recorded but not sent yet EndpointConnection")
    assert TaskRecord.objects.get(pk="first-attempt-2").status == TaskStatus.READY


def test_without_a_queue_the_attempt_runs_here(settings: Settings) -> None:
    settings.USE_ASYNC_TASKS = False
    ended(ran_inline=True)

    restart("first")

    assert TaskRecord.objects.get(pk="first-attempt-2").status == TaskStatus.SUCCEEDED


def test_a_filter_selects_unsuccessful_tasks_and_names_the_others() -> None:
    for number, status in enumerate(UNSUCCESSFUL):
        ended(f"t-{number}", status)
    ended("unfit", payload={})
    ended("done", TaskStatus.SUCCEEDED)
    TaskRecord.objects.filter(pk="t-0").update(enqueued_at=timezone.now() - timedelta(days=3))

    plan = plan_matching(BulkAction.RESTART, TaskFilter(task="sample_sum"))
    recent = plan_matching(BulkAction.RESTART, TaskFilter(since=timezone.now() - timedelta(days=1)))

    assert {record.pk for record in plan.records} == {"t-0", "t-1", "t-2"}
    assert [one.where for one in plan.left_out] == ["unfit"]
    assert {record.pk for record in recent.records} == {"t-1", "t-2"}
    with pytest.raises(OperationRefused, match="--report 5: no restartable task matches"):
        plan_matching(BulkAction.RESTART, TaskFilter(subject_ids=[5]))
    with pytest.raises(OperationRefused, match="done: it SUCCEEDED"):
        plan_matching(BulkAction.RESTART, TaskFilter(statuses=("SUCCEEDED",)))
