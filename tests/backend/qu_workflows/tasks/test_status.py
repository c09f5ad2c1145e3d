from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from pydantic import ValidationError

from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks.status import ForeignExecution, apply_status_change

NAME = "019aa0e0-0000-7000-8000-000000000001"
STARTED, STOPPED = 1_790_000_000_000, 1_790_000_060_000
FIELDS = ("status", "redrive_count", "result", "error", "cause", "started_at", "finished_at", "execution_arn")


def detail(status: str, redrive_count: int = 0, *, workflow: str = "guard_report", **changes: Any) -> dict[str, Any]:
    """Return an event's detail as AWS sends it."""
    is_final = status != "RUNNING"
    failed = status in ("FAILED", "TIMED_OUT", "ABORTED")
    return {
        "executionArn": f"arn:aws:states:us-east-2:123456789012:execution:qu-dev-{workflow}:{NAME}",
        "stateMachineArn": f"arn:aws:states:us-east-2:123456789012:stateMachine:qu-dev-{workflow}",
        "name": NAME,
        "status": status,
        "startDate": STARTED,
        "stopDate": STOPPED + redrive_count if is_final else None,
        "input": '{"report_id": 7}',
        "inputDetails": {"included": True},
        "output": '{"notified": 3}' if status == "SUCCEEDED" else None,
        "outputDetails": {"included": True} if status == "SUCCEEDED" else None,
        "error": f"Error{redrive_count}" if failed else None,
        "cause": "because" if failed else None,
        "redriveCount": redrive_count,
        "redriveDate": None,
        "redriveStatus": "NOT_REDRIVABLE",
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
    } | changes


def history(ends: list[str]) -> list[dict[str, Any]]:
    """Return the events of an execution that was redriven after each end but the last."""
    return [detail(status, n) for n, end in enumerate(ends) for status in ("RUNNING", end)]


def end_of(events: list[dict[str, Any]]) -> dict[str, Any]:
    TaskRecord.objects.all().delete()
    TaskRecord.objects.create(
        id=NAME, task="process_guard_report", status="SENT", enqueued_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    for event in events:
        apply_status_change(event)
    return dict(TaskRecord.objects.values(*FIELDS).get(pk=NAME))


class TestOrder(TestCase):
    @settings(deadline=None, max_examples=40)
    @given(
        st.data(),
        st.lists(st.sampled_from(["FAILED", "TIMED_OUT", "ABORTED"]), max_size=3),
        st.sampled_from(["SUCCEEDED", "FAILED", "RUNNING"]),
    )
    def test_any_order_with_any_duplicates_ends_the_same(self, data: st.DataObject, ends: list[str], last: str) -> None:
        events = history([*ends, last])
        again = data.draw(st.lists(st.sampled_from(events), max_size=4))
        shuffled = data.draw(st.permutations([*events, *again]))

        assert end_of(shuffled) == end_of(events)


@pytest.mark.django_db
def test_a_redrive_takes_a_failed_execution_through_running_to_its_end() -> None:
    failed, running, done = detail("FAILED"), detail("RUNNING", 1), detail("SUCCEEDED", 1)

    assert end_of([failed])["error"] == "Error0"
    again = end_of([failed, running])
    assert (again["status"], again["error"], again["cause"], again["finished_at"]) == ("RUNNING", "", "", None)
    for order in permutations([failed, running, done]):
        end = end_of(list(order))
        assert (end["status"], end["result"], end["error"]) == ("SUCCEEDED", {"notified": 3}, "")
        assert end["finished_at"] == datetime.fromtimestamp((STOPPED + 1) / 1000, UTC)
        assert end["started_at"] == datetime.fromtimestamp(STARTED / 1000, UTC)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("workflow", "given_input", "task", "payload", "report_id"),
    [
        ("guard_report", '{"report_id": 7}', "process_guard_report", {"report_id": 7}, 7),
        ("notification_email", '{"user_id": 1}', "send_notification_email", {"user_id": 1}, None),
        ("run_task", '{"task": "any", "payload": {"data": "x"}}', "any", {"data": "x"}, None),
        ("run_task", '{"task": "any", "payload_key": "payloads/x.json"}', "any", {}, None),
        ("run_task", None, "run_task", {}, None),
        ("guard_report", "[1]", "process_guard_report", {}, None),
        ("guard_report", '{"report_id": 1e400}', "process_guard_report", {"report_id": None}, None),
    ],
)
def test_an_execution_without_a_record_gets_one(
    workflow: str, given_input: str | None, task: str, payload: dict[str, Any], report_id: int | None
) -> None:
    apply_status_change(detail("RUNNING", workflow=workflow, input=given_input))

    record = TaskRecord.objects.get(pk=NAME)
    assert (record.task, record.workflow, record.payload, record.subject_id) == (task, workflow, payload, report_id)
    assert (record.status, record.enqueued_at) == (TaskStatus.RUNNING, record.started_at)


@pytest.mark.django_db
def test_an_output_that_was_left_out_is_no_result() -> None:
    record = apply_status_change(detail("SUCCEEDED", output=None, outputDetails={"included": False}))

    assert (record.status, record.result) == (TaskStatus.SUCCEEDED, None)


@pytest.mark.django_db
def test_texts_that_postgresql_refuses_are_escaped() -> None:
    apply_status_change(detail("FAILED", cause="nul \x00", error="E" * 300, output='{"a\\u0000": ["\\ud800"]}'))

    record = TaskRecord.objects.get(pk=NAME)
    assert (record.cause, len(record.error), record.result) == ("nul \\x00", 256, {"a\\x00": ["\\ud800"]})


@pytest.mark.django_db
def test_the_version_of_the_state_machine_is_kept() -> None:
    version = "arn:aws:states:us-east-2:123456789012:stateMachine:qu-dev-guard_report:3"

    assert apply_status_change(detail("RUNNING", stateMachineVersionArn=version)).state_machine_version_arn == version


@pytest.mark.django_db
def test_a_late_start_event_still_records_the_arn() -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    TaskRecord.objects.create(id=NAME, task="sample_sum", status="RUNNING", enqueued_at=began, started_at=began)

    apply_status_change(detail("RUNNING", workflow="run_task", stateMachineVersionArn="arn:version:3"))

    record = TaskRecord.objects.get(pk=NAME)
    assert record.execution_arn == detail("RUNNING", workflow="run_task")["executionArn"]
    assert (record.state_machine_version_arn, record.started_at) == ("arn:version:3", began)


@pytest.mark.django_db
def test_what_ran_inline_and_succeeded_is_not_undone_by_its_executions_failure() -> None:
    TaskRecord.objects.create(
        id=NAME, task="sample_sum", status="SUCCEEDED", result=3, returned_at=timezone.now(), enqueued_at=timezone.now()
    )

    record = apply_status_change(detail("FAILED", workflow="run_task"))

    assert (record.status, record.result) == (TaskStatus.SUCCEEDED, 3)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "changes", [{"status": "PENDING_REDRIVE"}, {"status": "READY"}, {"name": "a name"}, {"executionArn": None}]
)
def test_what_is_no_status_change_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        apply_status_change(detail("RUNNING") | changes)

    assert not TaskRecord.objects.exists()


@pytest.mark.django_db
def test_an_execution_of_anothers_state_machine_is_refused() -> None:
    with pytest.raises(ForeignExecution, match="Narrow the EventBridge rule"):
        apply_status_change(detail("RUNNING", workflow="billing"))

    assert not TaskRecord.objects.exists()
