from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import pytest
from botocore.exceptions import ClientError
from django.utils import timezone
from pytest_django import Settings

from qu_workflows.aws import clients as aws
from qu_workflows.executions.redriving import AlreadyRedriven, redrive_one, redrive_token, states_that_run_again
from qu_workflows.executions.search import TaskFilter
from qu_workflows.executions.services import ActionPlan, ActionResults, BulkAction, plan_matching, plan_named, run_plan
from qu_workflows.executions.step_functions import StepFunctionsNotReached
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused, OperationStopped
from qu_workflows.records.models import AuditEntry, TaskRecord, TaskStatus
from tests.backend.qu_workflows.operated import Operated

pytestmark = pytest.mark.django_db(transaction=True)

FAST = 100.0
AT_AWS = "arn:aws:states:us-east-2:123456789012:execution:m:"


def failed(**changes: Any) -> TaskRecord:
    """Return the record of a failed execution that no Step Functions has."""
    now = timezone.now()
    values: dict[str, Any] = {
        "task": "process_guard_report",
        "workflow": "guard_report",
        "status": TaskStatus.FAILED,
        "error": "ReportNotFound",
        "enqueued_at": now,
        "started_at": now,
        "finished_at": now,
    } | changes
    record = TaskRecord(**values)
    record.execution_arn = changes.get("execution_arn", AT_AWS + record.pk)
    record.save(force_insert=True)
    return record


def audits() -> list[tuple[str, str, str, str]]:
    return list(AuditEntry.objects.order_by("id").values_list("actor", "action", "target", "outcome"))


def plan_of(*ids: str, stop: Event | None = None) -> ActionPlan:
    return plan_named(BulkAction.REDRIVE, ids, stop=stop)


def plan_for(chosen: TaskFilter, limit: int | None = None) -> ActionPlan:
    return plan_matching(BulkAction.REDRIVE, chosen, limit)


def run(plan: ActionPlan, actor: str = "ana", per_second: float = FAST, stop: Event | None = None) -> ActionResults:
    return run_plan(BulkAction.REDRIVE, plan, actor, per_second=per_second, stop=stop)


def redrive(*ids: str) -> ActionResults:
    return run(plan_of(*ids))


def test_only_the_failed_iteration_of_an_execution_runs_again(operated: Operated) -> None:
    record = operated.run(2, machine=operated.machine(in_turn=True))
    before = operated.calls.copy()
    operated.broken.clear()
    [planned] = plan_of(record.pk).records

    assert states_that_run_again(planned) == ["Work (Process 1)"]
    results = redrive(record.pk)

    operated.followed(record)
    assert (record.status, record.redrive_count) == (TaskStatus.SUCCEEDED, 1)
    assert [result.task_id for result in results.done] == [record.pk]
    assert (operated.calls["load"], operated.calls["work 1"]) == (before["load"], before["work 1"]) == (1, 1)
    assert operated.calls["finish"] == 1
    assert audits() == [("ana", "redrive_execution", record.pk, "done")]
    entry = AuditEntry.objects.get()
    assert entry.batch == results.batch
    assert entry.details["execution_arn"] == record.execution_arn
    assert entry.message.startswith("redriven at ")
    assert entry.message.endswith(" UTC")


def test_a_second_click_on_the_same_page_does_nothing(operated: Operated) -> None:
    record = operated.run(2)
    token = redrive_token(record)
    message = redrive_one(record, "ana", token)
    operated.followed(record)

    with pytest.raises(AlreadyRedriven):
        redrive_one(record, "ana", token)

    assert message.startswith("redriven at ")
    assert operated.sfn.describe_execution(executionArn=record.execution_arn)["redriveCount"] == 1
    assert audits() == [("ana", "redrive_execution", record.pk, "done")]


def test_what_has_changed_since_the_page_was_made_is_not_redriven(operated: Operated) -> None:
    record = operated.run(2)
    shown = redrive_token(record)
    redrive(record.pk)
    operated.followed(record)
    AuditEntry.objects.all().delete()  # as another process's, not yet written

    with pytest.raises(OperationRefused, match="it has changed since the page was loaded"):
        redrive_one(record, "ana", shown)

    assert record.redrive_count == 1
    assert audits() == []


def test_pressed_twice_it_is_redriven_once(operated: Operated) -> None:
    record = operated.run(1, 2, 3)
    plan = plan_of(record.pk)

    run(plan, "ana", FAST)
    operated.server.runner.closed(record.execution_arn, 10)
    run(plan, "ben", FAST)
    operated.server.runner.closed(record.execution_arn, 10)

    assert operated.sfn.describe_execution(executionArn=record.execution_arn)["redriveCount"] == 1
    assert [outcome for *_, outcome in audits()] == ["done", "done"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": TaskStatus.SUCCEEDED}, "it SUCCEEDED, and AWS redrives only failed executions"),
        ({"status": TaskStatus.RUNNING, "execution_arn": ""}, "it is RUNNING. Wait for its end"),
        ({"status": TaskStatus.SENT, "execution_arn": ""}, "its execution has not started. Look for its message"),
        ({"execution_arn": "arn:aws:states:local:000000000000:execution:m:x"}, "own process, .* Restart it"),
        ({"execution_arn": ""}, "own process, .* Restart it"),
        ({"finished_at": timezone.now() - timedelta(days=14, seconds=1)}, "redrives for 14 days. Restart it"),
    ],
)
def test_what_can_not_be_redriven_is_refused_with_what_to_do_instead(changes: dict[str, Any], said: str) -> None:
    record = failed(**changes)

    with pytest.raises(OperationRefused, match=f"{record.pk}: .*{said}"):
        plan_of(record.pk)


def test_one_bad_id_among_several_means_that_nothing_is_done(operated: Operated) -> None:
    good, succeeded, running = operated.run(2), operated.run(), failed(status=TaskStatus.RUNNING)

    with pytest.raises(OperationRefused) as refused:
        redrive(good.pk, succeeded.pk, running.pk)
    with pytest.raises(OperationRefused, match="missing: there is no such task"):
        redrive(good.pk, "missing")

    assert str(refused.value).startswith("executions: the action does not apply to 2 of 3 tasks; nothing was changed.")
    assert succeeded.pk in str(refused.value)
    assert operated.followed(good).status == TaskStatus.FAILED
    assert audits() == []


def test_what_aws_says_goes_before_what_the_record_says(operated: Operated) -> None:
    record = operated.run()
    TaskRecord.objects.filter(pk=record.pk).update(status=TaskStatus.FAILED)
    gone = failed()

    with pytest.raises(
        OperationRefused, match="AWS does not redrive it: Execution is SUCCEEDED and cannot be redriven"
    ):
        plan_of(record.pk)
    with pytest.raises(OperationRefused, match="ended over 90 days ago, or its state machine was deleted"):
        plan_of(gone.pk)


def test_an_execution_without_a_recorded_end_is_redriven(operated: Operated) -> None:
    record = operated.run(2)
    TaskRecord.objects.filter(pk=record.pk).update(status=TaskStatus.RUNNING, finished_at=None)
    operated.broken.clear()

    results = redrive(record.pk)

    assert [result.task_id for result in results.done] == [record.pk]
    assert operated.followed(record).status == TaskStatus.SUCCEEDED


def test_a_stop_while_aws_is_called_plans_nothing(operated: Operated) -> None:
    record, stop = operated.run(2), Event()
    stop.set()

    with pytest.raises(OperationStopped) as stopped:
        plan_of(record.pk, stop=stop)

    assert stopped.value.exit_code == 130


def test_a_filter_selects_redrivable_executions_and_names_the_others() -> None:
    at_aws, local = failed(), failed(execution_arn="")
    failed(error="TemplateInvalid")
    failed(status=TaskStatus.SUCCEEDED)

    plan = plan_for(TaskFilter(errors=["ReportNotFound"]))

    assert [planned.pk for planned in plan.records] == [at_aws.pk]
    assert [one.where for one in plan.left_out] == [local.pk]
    assert len(plan_for(TaskFilter(workflow="guard_report"), limit=1).records) == 1


@pytest.mark.parametrize("status", [TaskStatus.SENT, TaskStatus.RUNNING, TaskStatus.SUCCEEDED])
def test_what_another_attempt_does_or_has_done_is_not_redriven_beside_it(status: str) -> None:
    first, lone = failed(), failed()
    failed(pk=f"{first.pk}-attempt-2", attempt_of=first.pk, status=TaskStatus.FAILED)
    failed(pk=f"{first.pk}-attempt-3", attempt_of=first.pk, status=status)

    plan = plan_for(TaskFilter(errors=["ReportNotFound"], statuses=("FAILED",)))

    assert [planned.pk for planned in plan.records] == [lone.pk]
    assert {one.where for one in plan.left_out} == {first.pk, f"{first.pk}-attempt-2"}
    assert plan.left_out[0].problem == f"its later attempt {first.pk}-attempt-3 is {status}."
    with pytest.raises(OperationRefused, match=f"its later attempt {first.pk}-attempt-3 is {status}"):
        plan_of(first.pk)
    TaskRecord.objects.filter(pk=first.pk).update(status=status)
    TaskRecord.objects.filter(pk=f"{first.pk}-attempt-3").update(status=TaskStatus.FAILED)
    with pytest.raises(OperationRefused, match=f"its attempt {first.pk} is {status}"):
        plan_of(f"{first.pk}-attempt-3")


def test_of_attempts_that_all_failed_the_last_is_redriven() -> None:
    first = failed()
    ids = [f"{first.pk}-attempt-{number}" for number in (2, 10)]
    for attempt in ids:
        failed(pk=attempt, attempt_of=first.pk)

    plan = plan_for(TaskFilter(errors=["ReportNotFound"]))

    assert [planned.pk for planned in plan.records] == [ids[1]]
    assert {one.problem for one in plan.left_out} == {f"its later attempt {ids[1]} is FAILED."}


def test_a_filter_that_matches_nothing_says_what_there_is() -> None:
    failed()
    failed()
    failed(error="TemplateInvalid")

    with pytest.raises(OperationRefused) as refused:
        plan_for(TaskFilter(workflow="guard_report", errors=["Reportnotfound"]))
    assert str(refused.value) == (
        "--workflow guard_report --error Reportnotfound: no redrivable execution matches. "
        "Other errors that match: ReportNotFound (2), TemplateInvalid (1)."
    )
    with pytest.raises(OperationRefused, match="SUCCEEDED: no redrivable execution matches"):
        plan_for(TaskFilter(statuses=("SUCCEEDED",)))


def test_a_filter_of_what_can_not_be_redriven_is_refused() -> None:
    record = failed(status=TaskStatus.SUCCEEDED)

    with pytest.raises(OperationRefused, match=f"{record.pk}: it SUCCEEDED"):
        plan_for(TaskFilter(statuses=("SUCCEEDED",)))


@pytest.mark.parametrize(("region", "most"), [("us-east-2", 150), ("eu-west-1", 300)])
def test_a_pace_above_the_quota_is_refused_before_anything_is_done(settings: Settings, region: str, most: int) -> None:
    settings.AWS_REGION = region
    failed()
    plan = plan_for(TaskFilter(errors=["ReportNotFound"]))

    for pace in (most + 1, 0, float("nan")):
        with pytest.raises(OperationRefused, match=f"AWS allows {most} RedriveExecution per second in {region}"):
            run(plan, "ana", pace)

    assert audits() == []


class Stub:
    """A Step Functions client that raises the given errors, then answers."""

    def __init__(
        self, *errors: Exception, then: Callable[[], None] = lambda: None, redriven_at: datetime | None = None
    ) -> None:
        self.errors, self._then, self._redriven_at = list(errors), then, redriven_at
        self.tokens: list[tuple[str, str]] = []

    def redrive_execution(self, *, executionArn: str, clientToken: str) -> dict[str, Any]:  # noqa: N803  boto3's names
        self.tokens.append((executionArn, clientToken))
        if self.errors:
            raise self.errors.pop(0)
        self._then()
        return {"redriveDate": self._redriven_at or timezone.now()}


def aws_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "So it is."}}, "RedriveExecution")


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[Stub], Stub]:
    def use(stub: Stub) -> Stub:
        monkeypatch.setattr(aws, "step_functions", lambda: stub)
        return stub

    return use


def test_an_earlier_redrive_is_reported_with_its_own_time(answering: Callable[[Stub], Stub]) -> None:
    earlier = timezone.now() - timedelta(minutes=10)
    answering(Stub(redriven_at=earlier))
    failed()

    [result] = run(plan_for(TaskFilter(errors=["ReportNotFound"])), "ana").done

    assert result.message == f"already redriven at {earlier:%Y-%m-%d %H:%M:%S} UTC"


def test_throttling_is_waited_out_with_the_same_token(
    answering: Callable[[Stub], Stub], monkeypatch: pytest.MonkeyPatch
) -> None:
    record = failed()
    stub = answering(Stub(aws_error("ThrottlingException"), aws_error("TooManyRequestsException")))
    monkeypatch.setattr("qu_workflows.aws.pacing.FIRST_WAIT_SECONDS", 0.001)

    results = run(plan_for(TaskFilter(errors=["ReportNotFound"])), "ana", FAST)

    assert [result.task_id for result in results.done] == [record.pk]
    assert len(stub.tokens) == 3
    assert len(set(stub.tokens)) == 1
    assert len(stub.tokens[0][1]) <= 64


def test_a_refusal_by_aws_is_reported_and_the_others_continue(answering: Callable[[Stub], Stub]) -> None:
    older = failed(enqueued_at=timezone.now() - timedelta(hours=1))
    newer = failed()
    answering(Stub(aws_error("ExecutionNotRedrivable")))

    results = run(plan_for(TaskFilter(errors=["ReportNotFound"])), "ana", FAST)

    assert [(result.task_id, result.message.partition(": ")[2]) for result in results.failed] == [
        (newer.pk, "AWS does not redrive it: So it is. Restart it instead.")
    ]
    assert [result.task_id for result in results.done] == [older.pk]
    assert [(target, outcome) for *_, target, outcome in audits()] == [(newer.pk, "refused"), (older.pk, "done")]


@pytest.mark.parametrize("code", ["ExecutionLimitExceeded", "InternalServerError"])
def test_any_other_error_of_aws_is_a_failure_that_names_it(answering: Callable[[Stub], Stub], code: str) -> None:
    failed()
    answering(Stub(aws_error(code)))

    [result] = run(plan_for(TaskFilter(errors=["ReportNotFound"])), "ana", FAST).failed

    assert f"{code}: So it is." in result.message
    assert [outcome for *_, outcome in audits()] == ["failed"]


def test_without_the_right_to_ask_the_rest_are_not_tried(answering: Callable[[Stub], Stub]) -> None:
    older = failed(enqueued_at=timezone.now() - timedelta(hours=1))
    failed()
    stub = answering(Stub(aws_error("AccessDeniedException")))

    results = run(plan_for(TaskFilter(errors=["ReportNotFound"])), "ana", FAST)

    assert "OperatorPolicyArn" in results.failed[0].message
    assert results.not_tried == [older.pk]
    assert len(stub.tokens) == 1


def test_a_stop_ends_between_two_and_names_the_untried(answering: Callable[[Stub], Stub]) -> None:
    older = failed(enqueued_at=timezone.now() - timedelta(hours=1))
    newer = failed()
    stop = Event()
    answering(Stub(then=stop.set))

    results = run(plan_for(TaskFilter(errors=["ReportNotFound"])), "ana", FAST, stop)

    assert ([result.task_id for result in results.done], results.not_tried) == ([newer.pk], [older.pk])
    assert [(target, outcome) for *_, target, outcome in audits()] == [(newer.pk, "done")]


def test_a_step_functions_that_is_not_reached_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", "http://127.0.0.1:9")
    record = failed()

    with pytest.raises(StepFunctionsNotReached, match="was not reached") as raised:
        plan_of(record.pk)
    assert isinstance(raised.value, OperationFailed)
    assert audits() == []
