from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from qu_workflows.executions import search as search_module
from qu_workflows.executions.queries import TaskFilter
from qu_workflows.executions.search import (
    TaskSearch,
    bounded_count,
    errors_called,
    found_by,
    is_at_step_functions,
    is_redrivable,
    search_tasks,
    values_of,
)
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.models import TaskRecord, TaskStatus
from tests.backend.qu_workflows.executions.test_redriving import failed

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def ids(search: TaskSearch, **page: Any) -> list[str]:
    return [row.id for row in search_tasks(search, **page).rows]


def made(number: int, **changes: Any) -> TaskRecord:
    return failed(pk=f"t-{number:02}", **{"enqueued_at": NOW - timedelta(seconds=number // 3)} | changes)


def test_pages_hold_every_task_once_whichever_way_one_turns_them() -> None:
    for number in range(10):
        made(number)
    everything = ids(TaskSearch(), limit=20)

    forth, cursors = [], [""]
    while True:
        page = search_tasks(TaskSearch(), after=cursors[-1], limit=3)
        forth.append([row.id for row in page.rows])
        if not page.older:
            break
        cursors.append(page.older)
    back = [forth[-1]]
    while page.newer:
        page = search_tasks(TaskSearch(), before=page.newer, limit=3)
        back.insert(0, [row.id for row in page.rows])

    assert [task_id for part in forth for task_id in part] == everything
    assert len(everything) == 10
    assert [len(part) for part in forth] == [3, 3, 3, 1]
    assert back == forth


def test_the_first_page_is_whole_though_it_is_come_to_from_an_older_one() -> None:
    for number in range(5):
        made(number)
    second = search_tasks(TaskSearch(), after=search_tasks(TaskSearch(), limit=3).older, limit=3)
    made(99, enqueued_at=NOW + timedelta(seconds=1))

    page = search_tasks(TaskSearch(), before=second.newer, limit=5)

    assert [row.id for row in page.rows] == ["t-99", "t-02", "t-01", "t-00", "t-04"]
    assert (page.newer, bool(page.older)) == ("", True)


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "2026-11-24T08:00:00,a",
        "2026-13-24T08:00:00+00:00,a",
        "2026-11-24T08:00:00+00:00,",
        "2026-11-24T08:00:00+00:00,\x00",
    ],
)
def test_a_cursor_that_is_none_is_refused(cursor: str) -> None:
    with pytest.raises(OperationRefused, match="is no page of the list"):
        search_tasks(TaskSearch(), before=cursor)
    with pytest.raises(OperationRefused, match="is no page of the list"):
        search_tasks(TaskSearch(), after=cursor)


def test_what_fits_is_counted_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "COUNTED", 3)
    for number in range(3):
        made(number)
    assert bounded_count(found_by(TaskSearch())) == (3, False)
    made(3)
    assert bounded_count(found_by(TaskSearch())) == (3, True)


def test_an_id_is_found_by_its_beginning_with_all_attempts() -> None:
    for task_id in (
        "019ab1-cd",
        "019ab1-cd-attempt-2",
        "019ab2-cd",
        "daily_report_digest-20261124T120000Z",
        "019AB1-cd",
    ):
        failed(pk=task_id)

    assert set(ids(TaskSearch(id_begins="019ab1-cd"))) == {"019ab1-cd", "019ab1-cd-attempt-2"}
    assert set(ids(TaskSearch(id_begins="019a"))) == {"019ab1-cd", "019ab1-cd-attempt-2", "019ab2-cd"}
    assert ids(TaskSearch(id_begins="daily_report")) == ["daily_report_digest-20261124T120000Z"]
    assert ids(TaskSearch(id_begins="019%")) == []


def test_successes_of_schedules_are_left_out_unless_they_are_asked_for() -> None:
    failed(pk="run", schedule="send_outbox", status=TaskStatus.SUCCEEDED, error="", subject_id=7)
    failed(pk="broken", schedule="send_outbox")
    failed(pk="task", status=TaskStatus.SUCCEEDED, error="")

    assert set(ids(TaskSearch())) == {"broken", "task"}
    assert set(ids(TaskSearch(filter=TaskFilter(statuses=("SUCCEEDED", "FAILED"))))) == {"broken", "task"}
    assert set(ids(TaskSearch(scheduled=True))) == {"run", "broken", "task"}
    assert set(ids(TaskSearch(filter=TaskFilter(schedule="send_outbox")))) == {"run", "broken"}
    assert ids(TaskSearch(id_begins="run")) == ["run"]
    assert ids(TaskSearch(report_ids=[7])) == ["run"]


def test_only_what_aws_redrives_is_found_when_that_is_asked() -> None:
    old = NOW - timedelta(days=14, seconds=1)
    failed(pk="yes", finished_at=old + timedelta(hours=1))  # NOW is when the run began
    failed(pk="old", finished_at=old)
    failed(pk="running", status=TaskStatus.RUNNING, finished_at=None)
    failed(pk="local", execution_arn="arn:aws:states:local:0:execution:m:x")
    failed(pk="never", execution_arn="")

    assert ids(TaskSearch(redrivable=True)) == ["yes"]
    assert set(TaskRecord.objects.filter(is_at_step_functions()).values_list("pk", flat=True)) == {
        "yes",
        "old",
        "running",
    }
    assert list(TaskRecord.objects.filter(is_redrivable(NOW)).values_list("pk", flat=True)) == ["yes"]


def test_a_row_says_which_attempt_it_is_and_how_long_it_may_be_redriven() -> None:
    failed(pk="one", started_at=NOW - timedelta(seconds=5), finished_at=NOW)
    failed(pk="one-attempt-3", attempt_of="one", redrive_count=2, finished_at=NOW - timedelta(days=20))
    failed(pk="local", execution_arn="arn:aws:states:local:0:execution:m:x")

    rows = {row.id: row for row in search_tasks(TaskSearch()).rows}

    assert (rows["one"].attempt, rows["one"].seconds) == (1, 5)
    assert 13.9 < (rows["one"].days_left or 0) <= 14
    assert (rows["one-attempt-3"].attempt, rows["one-attempt-3"].redrive_count) == (3, 2)
    assert rows["one-attempt-3"].days_left == rows["one-attempt-3"].seconds_left == 0
    assert rows["local"].days_left is None


def test_the_values_of_a_column_are_each_told_once() -> None:
    for number, error in enumerate(["B", "A", "B", "", "C c", "A"]):
        made(number, error=error)

    assert values_of("error") == ["A", "B", "C c"]
    assert values_of("schedule") == []


def test_an_error_is_found_by_its_name_or_by_a_part_between_stars() -> None:
    for number, error in enumerate(["ReportNotFound", "NotFound", "Lambda.Unknown"]):
        made(number, error=error)

    assert errors_called("notfound") == ["NotFound"]
    assert errors_called("*notfound*") == ["NotFound", "ReportNotFound"]
    assert errors_called("**") == errors_called("Not") == []


@pytest.fixture
def _many() -> Iterator[None]:
    """20,000 tasks as they come: most succeeded, half of all by schedules, one in forty failed."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO executions_taskrecord (id, task, workflow, payload, payload_key, positional_count, report_id,
                schedule, status, backend, queue_name, message_group_id, delay_seconds, enqueued_at, started_at,
                finished_at, execution_arn, error)
            SELECT md5(n::text), CASE WHEN n %% 500 = 0 THEN 'escalate_incident' WHEN n %% 2 = 0 THEN 'send_outbox'
                    ELSE 'process_guard_report' END,
                CASE WHEN n %% 500 = 0 THEN 'incident_escalation' WHEN n %% 2 = 0 THEN 'run_task'
                    ELSE 'guard_report' END,
                '{}', '', 0, CASE WHEN n %% 2 = 1 THEN n / 2 END, CASE WHEN n %% 2 = 0 THEN 'send_outbox' ELSE '' END,
                CASE WHEN n %% 41 = 0 THEN 'FAILED' WHEN n %% 997 = 0 THEN 'RUNNING' ELSE 'SUCCEEDED' END,
                'default', 'default', '', 0, %s::timestamptz - n * interval '1 minute',
                now() - n * interval '1 minute', now() - n * interval '1 minute',
                'arn:aws:states:us-east-2:123456789012:execution:m:' || n,
                CASE WHEN n %% 41 <> 0 THEN '' WHEN n %% 2 = 0 THEN 'ReportNotFound' ELSE 'TaskStillRunning' END
            FROM generate_series(1, 20000) AS n
            """,
            [NOW],
        )
        cursor.execute("ANALYZE executions_taskrecord")
    yield


def plan_of(search: TaskSearch) -> str:
    found = found_by(search)
    return found.only("id")[:51].explain()


HALF: datetime = NOW - timedelta(minutes=10_000)


@pytest.mark.usefixtures("_many")
@pytest.mark.parametrize(
    "search",
    [
        TaskSearch(),
        TaskSearch(scheduled=True),
        TaskSearch(redrivable=True),
        TaskSearch(id_begins="abcd"),
        TaskSearch(report_ids=[77]),
        TaskSearch(report_ids=[77, 78, 79]),
        TaskSearch(errors=["ReportNotFound"]),
        TaskSearch(errors=["ReportNotFound", "TaskStillRunning"]),
        TaskSearch(filter=TaskFilter(workflow="guard_report")),
        TaskSearch(filter=TaskFilter(workflow="incident_escalation")),
        TaskSearch(filter=TaskFilter(task="escalate_incident")),
        TaskSearch(filter=TaskFilter(schedule="send_outbox")),
        TaskSearch(filter=TaskFilter(statuses=("FAILED",))),
        TaskSearch(filter=TaskFilter(statuses=("RUNNING",))),
        TaskSearch(filter=TaskFilter(statuses=("FAILED", "TIMED_OUT", "ABORTED"))),
        TaskSearch(filter=TaskFilter(statuses=("SUCCEEDED",))),
        TaskSearch(filter=TaskFilter(workflow="guard_report", statuses=("FAILED",))),
        TaskSearch(filter=TaskFilter(since=HALF)),
        TaskSearch(filter=TaskFilter(until=HALF)),
        TaskSearch(filter=TaskFilter(since=HALF, statuses=("FAILED",), workflow="guard_report")),
    ],
)
def test_every_filter_is_answered_by_an_index(search: TaskSearch) -> None:
    plan = plan_of(search)

    assert "Seq Scan" not in plan, plan
    assert "task_" in plan or "_pkey" in plan


@pytest.mark.usefixtures("_many")
def test_the_next_page_is_begun_at_its_row_and_no_row_before_is_read() -> None:
    deep = search_tasks(TaskSearch(filter=TaskFilter(until=HALF)))
    with connection.cursor() as cursor:
        after = search_module.older_than(found_by(TaskSearch()), deep.older).only("id")[:51]
        statement, values = after.query.sql_with_params()
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
        [plan] = cursor.fetchone()[0]

    node = plan["Plan"]["Plans"][0]
    assert node["Node Type"] in ("Index Scan", "Index Only Scan")
    assert node["Index Name"] == "task_listed"
    assert node["Actual Rows"] == 51
    assert node.get("Rows Removed by Filter", 0) < 10


@pytest.mark.usefixtures("_many")
def test_the_names_of_all_tasks_are_told_by_steps_down_an_index() -> None:
    assert values_of("task") == ["escalate_incident", "process_guard_report", "send_outbox"]
    assert values_of("error") == ["ReportNotFound", "TaskStillRunning"]
    assert values_of("schedule") == ["send_outbox"]
    with connection.cursor() as cursor:
        for column in ("task", "error", "schedule"):
            cursor.execute(f"EXPLAIN {search_module.statement_of_values(column)}", [500])
            assert "Seq Scan" not in str(cursor.fetchall())
