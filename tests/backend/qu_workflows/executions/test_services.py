from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from qu_workflows.executions import services
from qu_workflows.executions.search import TaskFilter
from qu_workflows.executions.services import (
    BulkAction,
    BulkProgress,
    BulkSelection,
    bulk_candidates,
    preview_bulk,
    remaining,
    run_bulk,
)
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.models import AuditEntry, TaskRecord, TaskStatus
from tests.backend.qu_workflows.conftest import Queue
from tests.backend.qu_workflows.executions.test_redriving import failed
from tests.backend.qu_workflows.operated import Operated

pytestmark = pytest.mark.django_db(transaction=True)

BROKEN = TaskFilter(workflow="guard_report")


def chosen(
    act: BulkAction, *ids: str, search: TaskFilter | None = None, as_of: datetime | None = None
) -> BulkSelection:
    return BulkSelection(act, as_of or timezone.now(), ids, search)


def to_the_end(selection: BulkSelection, **how: Any) -> Sequence[BulkProgress]:
    portions = [run_bulk(selection, "ana", **how)]
    while portions[-1].after:
        portions.append(run_bulk(selection, "ana", **how | {"after": portions[-1].after, "batch": portions[0].batch}))
    return portions


def test_all_that_fit_are_redriven_in_portions_of_one_batch(
    operated: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "PORTION", 2)
    records = [operated.run(1) for _ in range(3)]
    operated.broken.clear()

    portions = to_the_end(chosen(BulkAction.REDRIVE, search=BROKEN))

    assert [len(portion.done) for portion in portions] == [2, 1]
    assert {result.task_id for portion in portions for result in portion.done} == {record.pk for record in records}
    assert set(AuditEntry.objects.values_list("batch", "action", "outcome")) == {
        (portions[0].batch, "redrive_execution", "done")
    }
    for record in records:
        assert operated.followed(record).status == TaskStatus.SUCCEEDED


def test_a_portion_ends_with_its_time_and_the_next_goes_on_there(
    operated: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(services.PER_SECOND, BulkAction.REDRIVE, 20.0)
    records = [operated.run(1) for _ in range(6)]

    first = run_bulk(chosen(BulkAction.REDRIVE, search=BROKEN), "ana", seconds=0.12)

    assert 1 <= len(first.done) < 6
    assert not first.halted
    assert remaining(chosen(BulkAction.REDRIVE, search=BROKEN), first.after) == 6 - len(first.done)
    rest = run_bulk(chosen(BulkAction.REDRIVE, search=BROKEN), "ana", after=first.after, batch=first.batch)
    assert {result.task_id for result in [*first.done, *rest.done]} == {record.pk for record in records}
    assert AuditEntry.objects.count() == 6


def test_what_fails_after_the_preview_is_no_part_of_it() -> None:
    before = failed(pk="before", finished_at=timezone.now() - timedelta(seconds=2))
    as_of = timezone.now() - timedelta(seconds=1)
    failed(pk="ended-later", enqueued_at=before.enqueued_at - timedelta(days=1))
    failed(pk="enqueued-later", finished_at=before.finished_at, enqueued_at=timezone.now())
    TaskRecord.objects.filter(pk="before").update(enqueued_at=as_of - timedelta(minutes=1))

    for act in (BulkAction.REDRIVE, BulkAction.RESTART):
        assert [one.pk for one in bulk_candidates(chosen(act, search=BROKEN, as_of=as_of))] == ["before"]


def test_only_what_can_take_the_act_is_chosen_by_a_filter() -> None:
    failed(pk="failed")
    failed(pk="old", finished_at=timezone.now() - timedelta(days=15))
    failed(pk="done", status=TaskStatus.SUCCEEDED)
    failed(pk="running", status=TaskStatus.RUNNING, finished_at=None)
    failed(pk="inline", status=TaskStatus.RUNNING, finished_at=None, execution_arn="")

    can = {act: {one.pk for one in bulk_candidates(chosen(act, search=BROKEN))} for act in BulkAction}

    assert can == {BulkAction.REDRIVE: {"failed"}, BulkAction.RESTART: {"failed", "old"}, BulkAction.STOP: {"running"}}
    seen = preview_bulk(chosen(BulkAction.STOP, search=BROKEN))
    assert (seen.count, seen.fitting) == (1, 5)


def test_a_preview_changes_nothing_and_lists_what_will_run(operated: Operated) -> None:
    record = operated.run(2)
    failed(pk="old", finished_at=timezone.now() - timedelta(days=15))

    seen = preview_bulk(chosen(BulkAction.REDRIVE, record.pk, "old"))

    assert seen.count == 1
    assert [one.task.id for one in seen.tasks] == [record.pk]
    assert "Work (Process 1)" in seen.tasks[0].again
    assert [(one.task_id, "AWS redrives for 14 days" in one.problem) for one in seen.left_out] == [("old", True)]
    assert seen.seconds == 1 / 20
    assert any("is not sent again" in note for note in seen.notes)
    assert not AuditEntry.objects.exists()
    record.refresh_from_db()
    assert record.redrive_count == 0


@pytest.mark.parametrize("act", BulkAction)
def test_a_large_preview_reads_no_history_and_runs_no_further_queries(act: BulkAction) -> None:
    status, ended = (TaskStatus.RUNNING, None) if act is BulkAction.STOP else (TaskStatus.FAILED, timezone.now())
    asked = []
    for number in range(2 * services.HISTORIES_PREVIEWED + 2):
        failed(pk=f"t-{number:02}", status=status, finished_at=ended, payload={"report_id": 7})
        if number in (services.HISTORIES_PREVIEWED, 2 * services.HISTORIES_PREVIEWED + 1):
            with CaptureQueriesContext(connection) as queries:
                seen = preview_bulk(chosen(act, search=BROKEN))
            asked.append(len(queries))

    assert len(seen.tasks) == 2 * services.HISTORIES_PREVIEWED + 2
    assert bool(seen.tasks[0].again) is (act is BulkAction.RESTART)
    assert asked[0] == asked[1] <= 4


def test_a_preview_says_why_it_does_not_know_what_will_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", "http://127.0.0.1:9")
    failed(pk="one")
    failed(pk="two")

    seen = preview_bulk(chosen(BulkAction.REDRIVE, "one", "two"))

    assert seen.count == 2
    assert "Step Functions" in seen.tasks[0].again or "Step Functions" in seen.tasks[1].again


def test_an_unreachable_service_halts_and_the_next_portion_continues(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", "http://127.0.0.1:9")
    for number in range(3):
        failed(pk=f"t-{number}")
    selection = chosen(BulkAction.REDRIVE, search=BROKEN)

    portion = run_bulk(selection, "ana")

    assert portion.halted
    assert [result.task_id for result in portion.failed] == ["t-2"]
    assert remaining(selection, portion.after) == 2
    assert list(AuditEntry.objects.values_list("target", "outcome")) == [("t-2", "failed")]


def test_tasks_are_restarted_with_a_query_for_all_attempts(queue: Queue) -> None:
    for number in range(3):
        failed(pk=f"t-{number}", payload={"report_id": number + 1})
    failed(pk="t-0-attempt-2", attempt_of="t-0", payload={"report_id": 1})

    [portion] = to_the_end(chosen(BulkAction.RESTART, "t-0", "t-1", "t-2"))

    assert [result.message for result in portion.done] == [
        "restarted as t-2-attempt-2",
        "restarted as t-1-attempt-2",
        "restarted as t-0-attempt-3",
    ]
    assert queue.size() == 3
    again = run_bulk(chosen(BulkAction.RESTART, "t-0"), "ana")
    assert (again.done, "t-0-attempt-3 is SENT" in again.left_out[0].problem) == ([], True)


def test_executions_are_stopped_with_a_reason_and_not_without(operated: Operated) -> None:
    machine = operated.sfn.create_state_machine(
        name="waiting",
        definition='{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": true}}}',
        roleArn="arn:aws:iam::123456789012:role/states",
    )["stateMachineArn"]
    running = [operated.start(machine) for _ in range(2)]
    selection = chosen(BulkAction.STOP, search=BROKEN)

    with pytest.raises(OperationRefused, match="reason: is empty"):
        run_bulk(selection, "ana", reason=" ")
    [portion] = to_the_end(selection, reason="The client asked for it.")

    assert len(portion.done) == 2
    for record in running:
        assert operated.followed(record).cause == "The client asked for it. (ana)"


def test_a_selection_of_nothing_or_of_too_many_is_refused() -> None:
    with pytest.raises(OperationRefused, match="none is selected"):
        preview_bulk(chosen(BulkAction.STOP))
    with pytest.raises(OperationRefused, match="over 200 are selected"):
        preview_bulk(chosen(BulkAction.STOP, *(f"t-{number}" for number in range(201))))
    with pytest.raises(OperationRefused, match="'x' does not exist"):
        preview_bulk(chosen(BulkAction.STOP, search=TaskFilter(workflow="x")))
