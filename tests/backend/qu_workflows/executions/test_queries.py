from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from qu_workflows.executions.queries import (
    TaskFilter,
    find_record,
    find_records,
    list_tasks,
    read_moment,
    records_of_report,
)
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.models import TaskRecord, TaskStatus
from tests.backend.qu_workflows.executions.test_redriving import failed

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("30m", NOW - timedelta(minutes=30)),
        (" 2h ", NOW - timedelta(hours=2)),
        ("3d", NOW - timedelta(days=3)),
        ("1w", NOW - timedelta(days=7)),
        ("2026-11-24T08:00:00Z", datetime(2026, 11, 24, 8, tzinfo=UTC)),
        ("2026-11-24T08:00+02:00", datetime(2026, 11, 24, 6, tzinfo=UTC)),
        ("2026-11-24T08:00", datetime(2026, 11, 24, 13, tzinfo=UTC)),  # New York, the site's own
        ("2026-11-24", datetime(2026, 11, 24, 5, tzinfo=UTC)),
    ],
)
def test_a_time_is_iso_or_so_long_ago(text: str, moment: datetime) -> None:
    assert read_moment(text, "--since", NOW) == moment


@pytest.mark.parametrize(
    "text", ["yesterday", "2 hours", "2026-13-01", "2026-11-24T25:00", "-3d", "999999w", "9999-12-31T23:00-12:00"]
)
def test_what_is_no_time_is_refused_with_what_is_one(text: str) -> None:
    with pytest.raises(OperationRefused, match=r"--since: '.*' is no time. Give it as 2026-11-24T08:00, or as 30m"):
        read_moment(text, "--since", NOW)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"workflow": "guard_reports"}, "--workflow: there is no 'guard_reports'. Choose one of .*guard_report"),
        ({"task": "nothing"}, "--task: there is no 'nothing'. Choose one of .*process_guard_report"),
        ({"statuses": ("FAILED", "BROKEN")}, "--status: there is no 'BROKEN'. Choose one of READY, SENT, RUNNING"),
        ({"schedule": "hourly"}, "--schedule: there is no 'hourly'. Choose one of .*watch_stuck"),
        ({"since": NOW, "until": NOW}, "--since: is not before --until."),
    ],
)
def test_a_name_that_there_is_not_is_refused_with_those_there_are(chosen: dict[str, Any], said: str) -> None:
    with pytest.raises(OperationRefused, match=said):
        list_tasks(TaskFilter(**chosen))


@pytest.mark.django_db
def test_tasks_are_found_by_each_of_their_marks() -> None:
    record = failed(pk="one", subject_id=7, schedule="old_schedule", task="old_task")
    failed(
        pk="other",
        workflow="run_task",
        status="ABORTED",
        error="Broken",
        enqueued_at=timezone.now() - timedelta(days=2),
    )
    marks: list[dict[str, Any]] = [
        {"workflow": "guard_report"},
        {"task": "old_task"},
        {"statuses": ("FAILED", "TIMED_OUT")},
        {"since": timezone.now() - timedelta(days=1)},
        {"error": "ReportNotFound"},
        {"report_id": 7},
        {"schedule": "old_schedule"},
    ]

    for mark in marks:
        assert [row.id for row in list_tasks(TaskFilter(**mark)).rows] == [record.pk], mark
    assert [row.id for row in list_tasks(TaskFilter(until=timezone.now() - timedelta(days=1))).rows] == ["other"]
    assert [row.id for row in list_tasks(TaskFilter(**marks[0] | marks[3])).rows] == [record.pk]


@pytest.mark.django_db
def test_pages_hold_every_task_once_the_newest_first_also_those_of_one_moment() -> None:
    moment = timezone.now()
    for number in range(7):
        failed(pk=f"t-{number}", enqueued_at=moment - timedelta(seconds=number // 3))
    seen, page = [], ""
    for _ in range(4):
        found = list_tasks(TaskFilter(), limit=2, page=page)
        seen += [row.id for row in found.rows]
        page = found.next_page

    assert seen == ["t-2", "t-1", "t-0", "t-5", "t-4", "t-3", "t-6"]
    assert page == ""
    with pytest.raises(OperationRefused, match="--after: 'x' is no page"):
        list_tasks(TaskFilter(), page="x")


@pytest.mark.django_db
def test_a_row_says_how_long_it_ran_and_how_long_it_may_be_redriven() -> None:
    now = timezone.now()
    failed(pk="at-aws", started_at=now - timedelta(days=4, seconds=5), finished_at=now - timedelta(days=4))
    failed(pk="local", execution_arn="arn:aws:states:local:0:execution:m:x")
    failed(pk="waiting", status="SENT", started_at=None, finished_at=None)

    rows = {row.id: row for row in list_tasks(TaskFilter()).rows}

    assert rows["at-aws"].seconds(now) == 5
    assert rows["at-aws"].days_left(now) == 10
    assert rows["local"].days_left(now) is None
    assert rows["waiting"].seconds(now) is None


@pytest.mark.django_db
def test_a_task_is_found_by_its_id_its_arn_or_its_report() -> None:
    older = failed(subject_id=7, enqueued_at=timezone.now() - timedelta(hours=1))
    newer = failed(subject_id=7)

    assert find_record(older.pk) == find_record(older.execution_arn) == older
    assert find_records([newer.pk, older.pk, newer.execution_arn]) == [newer, older]
    assert records_of_report(7) == [newer, older]
    started = failed(status=TaskStatus.SENT, execution_arn="")
    assert find_record(f"arn:aws:states:us-east-2:123456789012:execution:m:{started.pk}") == started
    with pytest.raises(OperationRefused, match=r"x, y: there is no such task\. Give the id of a task"):
        find_records([newer.pk, "x", "y"])
    many = [f"n{number}" for number in range(30)]
    with pytest.raises(OperationRefused, match=r"n0, n1, .*, n19 and 10 more: there is no such task"):
        find_records(many)
    with pytest.raises(OperationRefused, match="--report 8: no task fits"):
        records_of_report(8)


@pytest.mark.django_db
def test_a_list_reads_no_payload(django_assert_num_queries: Any) -> None:
    TaskRecord.objects.create(pk="one", task="t", workflow="run_task", payload={"a": 1}, enqueued_at=NOW)

    with django_assert_num_queries(1) as queries:
        list_tasks(TaskFilter())
    assert '"payload"' not in queries[0]["sql"]


@pytest.mark.django_db
@pytest.mark.parametrize("other", [("us-east-2", "us-east-1"), ("123456789012", "210987654321"), (":m:", ":n:")])
def test_an_arn_of_another_account_region_or_state_machine_is_no_task_of_ours(other: tuple[str, str]) -> None:
    arn = failed().execution_arn.replace(*other)

    with pytest.raises(OperationRefused, match=f"{arn}: there is no such task"):
        find_record(arn)
