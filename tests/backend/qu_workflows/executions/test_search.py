from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from qu_workflows.executions import search as search_module
from qu_workflows.executions.search import (
    TaskFilter,
    bounded_count,
    errors_called,
    find_record,
    find_records,
    read_moment,
    search_tasks,
    values_of,
)
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.models import TaskRecord, TaskStatus
from tests.backend.qu_workflows.executions.test_redriving import failed

pytestmark = pytest.mark.django_db

NOW = timezone.now()
MOMENT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def ids(search: TaskFilter, **page: Any) -> list[str]:
    return [row.id for row in search_tasks(search, **page).rows]


def made(number: int, **changes: Any) -> TaskRecord:
    return failed(pk=f"t-{number:02}", **{"enqueued_at": NOW - timedelta(seconds=number // 3)} | changes)


def test_pages_hold_every_task_once_whichever_way_one_turns_them() -> None:
    for number in range(10):
        made(number)
    everything = ids(TaskFilter(), limit=20)

    forth, cursors = [], [""]
    while True:
        page = search_tasks(TaskFilter(), after=cursors[-1], limit=3)
        forth.append([row.id for row in page.rows])
        if not page.older:
            break
        cursors.append(page.older)
    back = [forth[-1]]
    while page.newer:
        page = search_tasks(TaskFilter(), before=page.newer, limit=3)
        back.insert(0, [row.id for row in page.rows])

    assert [task_id for part in forth for task_id in part] == everything
    assert len(everything) == 10
    assert [len(part) for part in forth] == [3, 3, 3, 1]
    assert back == forth


def test_the_first_page_is_full_when_reached_from_an_older_one() -> None:
    for number in range(5):
        made(number)
    second = search_tasks(TaskFilter(), after=search_tasks(TaskFilter(), limit=3).older, limit=3)
    made(99, enqueued_at=NOW + timedelta(seconds=1))

    page = search_tasks(TaskFilter(), before=second.newer, limit=5)

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
    with pytest.raises(OperationRefused, match="is not a page of the list"):
        search_tasks(TaskFilter(), before=cursor)
    with pytest.raises(OperationRefused, match="is not a page of the list"):
        search_tasks(TaskFilter(), after=cursor)


def test_what_fits_is_counted_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "COUNTED", 3)
    for number in range(3):
        made(number)
    assert bounded_count(TaskFilter().records()) == (3, False)
    made(3)
    assert bounded_count(TaskFilter().records()) == (3, True)


def test_an_id_is_found_by_its_beginning_with_all_attempts() -> None:
    for task_id in (
        "019ab1-cd",
        "019ab1-cd-attempt-2",
        "019ab2-cd",
        "daily_report_digest-20261124T120000Z",
        "019AB1-cd",
    ):
        failed(pk=task_id)

    assert set(ids(TaskFilter(id_begins="019ab1-cd"))) == {"019ab1-cd", "019ab1-cd-attempt-2"}
    assert set(ids(TaskFilter(id_begins="019a"))) == {"019ab1-cd", "019ab1-cd-attempt-2", "019ab2-cd"}
    assert ids(TaskFilter(id_begins="daily_report")) == ["daily_report_digest-20261124T120000Z"]
    assert ids(TaskFilter(id_begins="019%")) == []


def test_successes_of_schedules_are_left_out_unless_they_are_asked_for() -> None:
    failed(pk="run", schedule="send_outbox", status=TaskStatus.SUCCEEDED, error="", subject_id=7)
    failed(pk="broken", schedule="send_outbox")
    failed(pk="task", status=TaskStatus.SUCCEEDED, error="")

    assert set(ids(TaskFilter(hides_scheduled=True))) == {"broken", "task"}
    assert set(ids(TaskFilter(statuses=("SUCCEEDED", "FAILED"), hides_scheduled=True))) == {"broken", "task"}
    assert set(ids(TaskFilter())) == {"run", "broken", "task"}
    assert set(ids(TaskFilter(schedule="send_outbox", hides_scheduled=True))) == {"run", "broken"}
    assert ids(TaskFilter(id_begins="run", hides_scheduled=True)) == ["run"]
    assert ids(TaskFilter(subject_ids=[7], hides_scheduled=True)) == ["run"]


def test_only_what_aws_redrives_is_found_when_that_is_asked() -> None:
    old = NOW - timedelta(days=14, seconds=1)
    failed(pk="yes", finished_at=old + timedelta(hours=1))  # NOW is when the run began
    failed(pk="old", finished_at=old)
    failed(pk="running", status=TaskStatus.RUNNING, finished_at=None)
    failed(pk="local", execution_arn="arn:aws:states:local:0:execution:m:x")
    failed(pk="never", execution_arn="")

    assert ids(TaskFilter(redrivable=True)) == ["yes"]


def test_a_row_has_its_attempt_and_redrive_deadline() -> None:
    failed(pk="one", started_at=NOW - timedelta(seconds=5), finished_at=NOW)
    failed(pk="waiting", status="SENT", started_at=None, finished_at=None)
    failed(pk="one-attempt-3", attempt_of="one", redrive_count=2, finished_at=NOW - timedelta(days=20))
    failed(pk="local", execution_arn="arn:aws:states:local:0:execution:m:x")

    rows = {row.id: row for row in search_tasks(TaskFilter()).rows}

    assert (rows["one"].attempt, rows["one"].seconds) == (1, 5)
    assert 13.9 < (rows["one"].days_left or 0) <= 14
    assert (rows["one-attempt-3"].attempt, rows["one-attempt-3"].redrive_count) == (3, 2)
    assert rows["one-attempt-3"].days_left == rows["one-attempt-3"].seconds_left == 0
    assert rows["local"].days_left is None
    assert (rows["waiting"].seconds, rows["waiting"].days_left) == (None, None)


def test_each_value_of_a_column_is_listed_once() -> None:
    for number, error in enumerate(["B", "A", "B", "", "C c", "A"]):
        made(number, error=error)

    assert values_of("error") == ["A", "B", "C c"]
    assert values_of("schedule") == []


def test_an_error_is_found_by_name_or_by_pattern() -> None:
    for number, error in enumerate(["ReportNotFound", "NotFound", "Lambda.Unknown"]):
        made(number, error=error)

    assert errors_called("notfound") == ["NotFound"]
    assert errors_called("*notfound*") == ["NotFound", "ReportNotFound"]
    assert errors_called("**") == errors_called("Not") == []


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", MOMENT - timedelta(seconds=90)),
        ("30m", MOMENT - timedelta(minutes=30)),
        (" 2h ", MOMENT - timedelta(hours=2)),
        ("3d", MOMENT - timedelta(days=3)),
        ("1w", MOMENT - timedelta(days=7)),
        ("2026-11-24T08:00:00Z", datetime(2026, 11, 24, 8, tzinfo=UTC)),
        ("2026-11-24T08:00+02:00", datetime(2026, 11, 24, 6, tzinfo=UTC)),
        ("2026-11-24T08:00", datetime(2026, 11, 24, 13, tzinfo=UTC)),  # New York, the site's own
        ("2026-11-24", datetime(2026, 11, 24, 5, tzinfo=UTC)),
    ],
)
def test_a_time_is_iso_or_so_long_ago(text: str, moment: datetime) -> None:
    assert read_moment(text, "--since", MOMENT) == moment


@pytest.mark.parametrize(
    "text", ["yesterday", "2 hours", "2026-13-01", "2026-11-24T25:00", "-3d", "999999w", "9999-12-31T23:00-12:00"]
)
def test_what_is_no_time_is_refused_with_what_is_one(text: str) -> None:
    with pytest.raises(
        OperationRefused, match=r"--since: '.*' is not a time. Use a time such as 2026-11-24T08:00, or 30m"
    ):
        read_moment(text, "--since", MOMENT)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"workflow": "guard_reports"}, "--workflow: 'guard_reports' does not exist. Use one of .*guard_report"),
        ({"task": "nothing"}, "--task: 'nothing' does not exist. Use one of .*process_guard_report"),
        ({"statuses": ("FAILED", "BROKEN")}, "--status: 'BROKEN' does not exist. Use one of READY, SENT, RUNNING"),
        ({"schedule": "hourly"}, "--schedule: 'hourly' does not exist. Use one of .*watch_stuck"),
        ({"since": MOMENT, "until": MOMENT}, "--since: is not before --until."),
    ],
)
def test_a_name_that_there_is_not_is_refused_with_those_there_are(chosen: dict[str, Any], said: str) -> None:
    with pytest.raises(OperationRefused, match=said):
        search_tasks(TaskFilter(**chosen))


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
        {"errors": ["ReportNotFound"]},
        {"subject_ids": [7]},
        {"schedule": "old_schedule"},
    ]

    for mark in marks:
        assert [row.id for row in search_tasks(TaskFilter(**mark)).rows] == [record.pk], mark
    assert [row.id for row in search_tasks(TaskFilter(until=timezone.now() - timedelta(days=1))).rows] == ["other"]
    assert [row.id for row in search_tasks(TaskFilter(**marks[0] | marks[3])).rows] == [record.pk]


def test_a_task_is_found_by_its_id_its_arn_or_its_subject() -> None:
    older = failed(subject_id=7, enqueued_at=timezone.now() - timedelta(hours=1))
    newer = failed(subject_id=7)

    assert find_record(older.pk) == find_record(older.execution_arn) == older
    assert find_records([newer.pk, older.pk, newer.execution_arn]) == [newer, older]
    assert list(TaskFilter(subject_ids=[7]).records()) == [newer, older]
    started = failed(status=TaskStatus.SENT, execution_arn="")
    assert find_record(f"arn:aws:states:us-east-2:123456789012:execution:m:{started.pk}") == started
    with pytest.raises(OperationRefused, match=r"x, y: there is no such task\. Use the id of a task"):
        find_records([newer.pk, "x", "y"])
    many = [f"n{number}" for number in range(30)]
    with pytest.raises(OperationRefused, match=r"n0, n1, .*, n19 and 10 more: there is no such task"):
        find_records(many)


def test_a_list_reads_no_payload(django_assert_num_queries: Any) -> None:
    TaskRecord.objects.create(pk="one", task="t", workflow="run_task", payload={"a": 1}, enqueued_at=MOMENT)

    with django_assert_num_queries(2) as queries:
        search_tasks(TaskFilter())
    assert '"payload"' not in queries[1]["sql"]


@pytest.mark.parametrize("other", [("us-east-2", "us-east-1"), ("123456789012", "210987654321"), (":m:", ":n:")])
def test_an_arn_of_another_account_region_or_machine_finds_nothing(other: tuple[str, str]) -> None:
    arn = failed().execution_arn.replace(*other)

    with pytest.raises(OperationRefused, match=f"{arn}: there is no such task"):
        find_record(arn)


@pytest.fixture
def _many() -> Iterator[None]:
    """Insert 20,000 tasks: half by schedules, one in forty failed."""
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


def plan_of(search: TaskFilter) -> str:
    found = search.records()
    return found.only("id")[:51].explain()


HALF: datetime = NOW - timedelta(minutes=10_000)


@pytest.mark.usefixtures("_many")
@pytest.mark.parametrize(
    "search",
    [
        TaskFilter(),
        TaskFilter(hides_scheduled=True),
        TaskFilter(redrivable=True),
        TaskFilter(id_begins="abcd"),
        TaskFilter(subject_ids=[77]),
        TaskFilter(subject_ids=[77, 78, 79]),
        TaskFilter(errors=["ReportNotFound"]),
        TaskFilter(errors=["ReportNotFound", "TaskStillRunning"]),
        TaskFilter(workflow="guard_report"),
        TaskFilter(workflow="incident_escalation"),
        TaskFilter(task="escalate_incident"),
        TaskFilter(schedule="send_outbox"),
        TaskFilter(statuses=("FAILED",)),
        TaskFilter(statuses=("RUNNING",)),
        TaskFilter(statuses=("FAILED", "TIMED_OUT", "ABORTED")),
        TaskFilter(statuses=("SUCCEEDED",)),
        TaskFilter(workflow="guard_report", statuses=("FAILED",)),
        TaskFilter(since=HALF),
        TaskFilter(until=HALF),
        TaskFilter(since=HALF, statuses=("FAILED",), workflow="guard_report"),
    ],
)
def test_every_filter_is_answered_by_an_index(search: TaskFilter) -> None:
    plan = plan_of(search)

    assert "Seq Scan" not in plan, plan
    assert "task_" in plan or "_pkey" in plan


@pytest.mark.usefixtures("_many")
def test_the_next_page_reads_no_earlier_row() -> None:
    deep = search_tasks(TaskFilter(until=HALF, hides_scheduled=True))
    with connection.cursor() as cursor:
        after = search_module.older_than(TaskFilter(hides_scheduled=True).records(), deep.older).only("id")[:51]
        statement, values = after.query.sql_with_params()
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
        [plan] = cursor.fetchone()[0]

    node = plan["Plan"]["Plans"][0]
    assert node["Node Type"] in ("Index Scan", "Index Only Scan")
    assert node["Index Name"] == "task_listed"
    assert node["Actual Rows"] == 51
    assert node.get("Rows Removed by Filter", 0) < 10


@pytest.mark.usefixtures("_many")
def test_task_names_are_read_by_index_steps() -> None:
    assert values_of("task") == ["escalate_incident", "process_guard_report", "send_outbox"]
    assert values_of("error") == ["ReportNotFound", "TaskStillRunning"]
    assert values_of("schedule") == ["send_outbox"]
    with connection.cursor() as cursor:
        for column in ("task", "error", "schedule"):
            cursor.execute(f"EXPLAIN {search_module.statement_of_values(column)}", [500])
            assert "Seq Scan" not in str(cursor.fetchall())
