"""The overlap and missed-run rules of schedules."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from qu_workflows.protocol.execution_names import attempt_id, scheduled_id
from qu_workflows.protocol.schedule import Overlap, Schedule
from qu_workflows.records.models import AuditAction, AuditEntry, AuditOutcome, TaskRecord, TaskStatus
from qu_workflows.tasks.running import run_attempt
from qu_workflows.tasks.scheduled_runs import origin_of, reason_to_skip
from qu_workflows.tasks.status import apply_status_change
from tests.backend.qu_workflows.projects import declare_schedules
from tests.backend.qu_workflows.sample import tasks
from tests.backend.qu_workflows.tasks.test_running import registered, side_by_side

pytestmark = pytest.mark.django_db(transaction=True)

# Its task is the tests' own: it adds a group, so that who was skipped is seen.
NIGHTLY = Schedule("nightly", tasks.name_group.module_path, "rate(1 hour)", "Of the tests.", overlap=Overlap.SKIP)


def declare(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    declare_schedules(monkeypatch, replace(NIGHTLY, **changes))


@pytest.fixture(autouse=True)
def _nightly(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch)


def run_id(minutes_ago: float = 0) -> str:
    return scheduled_id("nightly", timezone.now() - timedelta(minutes=minutes_ago))


def record_run(task_id: str, started_at: datetime) -> None:
    """Record a run that has been let go on and has not ended."""
    reason_to_skip(task_id)
    TaskRecord.objects.filter(pk=task_id).update(started_at=started_at)


def event(task_id: str, status: str) -> None:
    apply_status_change(
        {
            "name": task_id,
            "status": status,
            "executionArn": f"arn:aws:states:us-east-2:1:execution:qu-run_task:{task_id}",
            "stateMachineArn": "arn:aws:states:us-east-2:1:stateMachine:qu-run_task",
            "startDate": int(timezone.now().timestamp() * 1000),
        }
    )


def test_overlapping_runs_are_skipped_until_the_first_ends() -> None:
    first, second, third = run_id(3), run_id(2), run_id(1)

    assert reason_to_skip(first) is None
    reason = reason_to_skip(second)
    assert reason is not None
    assert first in reason
    event(first, "SUCCEEDED")
    assert reason_to_skip(third) is None


def test_the_decision_to_skip_is_permanent() -> None:
    first, second = run_id(3), run_id(2)
    reason_to_skip(first)
    reason = reason_to_skip(second)
    event(first, "FAILED")

    assert reason_to_skip(second) == reason
    assert reason_to_skip(first) is None


def test_a_skipped_run_keeps_its_reason_as_result() -> None:
    first, second = run_id(3), run_id(2)
    reason_to_skip(first)
    reason = reason_to_skip(second)
    event(second, "SUCCEEDED")

    record = TaskRecord.objects.get(pk=second)
    assert (record.status, record.result) == (TaskStatus.SUCCEEDED, {"skipped": reason})


def test_an_overlap_that_is_allowed_skips_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, overlap=Overlap.ALLOW)

    assert [reason_to_skip(run_id(minutes)) for minutes in (3, 2)] == [None, None]


def test_of_runs_that_start_at_once_exactly_one_goes_on() -> None:
    waiting = iter([run_id(minutes) for minutes in range(8)])

    reasons = side_by_side(lambda: reason_to_skip(next(waiting)), 8)

    assert (len(reasons), reasons.count(None)) == (8, 1)


def test_an_undecided_run_blocks_no_other() -> None:
    first, second = run_id(3), run_id(2)
    event(first, "RUNNING")

    assert reason_to_skip(second) is None
    assert reason_to_skip(first) is not None


def test_a_run_beyond_its_time_limit_blocks_no_other() -> None:
    first, second = run_id(300), run_id(0)
    record_run(first, started_at=timezone.now() - timedelta(hours=2, seconds=1))

    assert reason_to_skip(second) is None


def test_a_redriven_run_blocks_the_next_one() -> None:
    first, second = run_id(3000), run_id(0)
    record_run(first, started_at=timezone.now() - timedelta(hours=50))
    AuditEntry.objects.create(
        actor="sam", action=AuditAction.REDRIVE_EXECUTION, target=first, outcome=AuditOutcome.DONE
    )

    reason = reason_to_skip(second)
    assert reason is not None
    assert f"{first} of the same schedule has been running since {timezone.now():%Y-%m-%d}" in reason


def test_a_restart_is_never_skipped_and_blocks_the_next_run() -> None:
    restart, earlier = attempt_id(run_id(60), 2), run_id(3)
    reason_to_skip(earlier)

    assert reason_to_skip(restart) is None
    event(earlier, "SUCCEEDED")
    event(restart, "RUNNING")
    reason = reason_to_skip(run_id(1))
    assert reason is not None
    assert restart in reason


@pytest.mark.parametrize(("seconds_late", "is_skipped"), [(590, False), (605, True)])
def test_a_run_that_could_not_begin_in_time_is_skipped(
    monkeypatch: pytest.MonkeyPatch, seconds_late: int, is_skipped: bool
) -> None:
    declare(monkeypatch, start_deadline_seconds=600)

    reason = reason_to_skip(run_id(seconds_late / 60))

    assert (reason is not None) == is_skipped


def test_a_missed_run_names_its_time_and_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, start_deadline_seconds=3600)

    reason = reason_to_skip("nightly-20260101T120000Z")

    assert reason is not None
    assert "It was due at 2026-01-01 12:00:00 UTC and had to start by 2026-01-01 13:00:00 UTC" in reason


@pytest.mark.parametrize("task_id", ["weekly-20260101T120000Z", "01936b2f-5a00-7000-8000-000000000001", "nightly"])
def test_other_ids_are_not_skipped_and_get_no_record(task_id: str) -> None:
    assert reason_to_skip(task_id) is None
    assert not TaskRecord.objects.exists()


def test_a_skipped_runs_function_never_runs() -> None:
    first, second = run_id(3), run_id(2)
    task = registered(tasks.name_group)
    reason_to_skip(first)

    values = [run_attempt(second, task, {"name": "a"}, "lambda") for _ in range(2)]

    assert values[0] == values[1] == {"skipped": reason_to_skip(second)}
    assert Group.objects.count() == 0
    assert run_attempt(first, task, {"name": "a"}, "lambda") == {"name": "a"}
    assert run_attempt(first, task, {"name": "a"}, "lambda") == {"name": "a"}
    assert Group.objects.count() == 1


def test_a_function_that_has_returned_holds_the_next_run_up_no_longer() -> None:
    run_attempt(run_id(3), registered(tasks.name_group), {"name": "a"}, "lambda")

    assert reason_to_skip(run_id(2)) is None


def test_a_record_names_its_schedule_and_first_attempt() -> None:
    due = datetime(2026, 11, 24, 12, tzinfo=UTC)
    first = scheduled_id("nightly", due)

    assert origin_of(first) == {"schedule": "nightly", "attempt_of": ""}
    assert origin_of(attempt_id(first, 3)) == {"schedule": "nightly", "attempt_of": first}
    assert origin_of("a-task") == {"schedule": "", "attempt_of": ""}
    assert origin_of("a-task-attempt-2") == {"schedule": "", "attempt_of": "a-task"}


def test_every_new_record_names_its_schedule() -> None:
    by_event, by_attempt, by_asking = (attempt_id(run_id(9), 2), attempt_id(run_id(8), 2), run_id(1))
    event(by_event, "RUNNING")
    event(by_event, "SUCCEEDED")
    run_attempt(by_attempt, registered(tasks.name_group), {"name": "a"}, "lambda")
    reason_to_skip(by_asking)

    records = TaskRecord.objects.filter(schedule="nightly").order_by("pk")
    assert [record.pk for record in records] == [by_event, by_attempt, by_asking]
    assert [bool(record.attempt_of) for record in records] == [True, True, False]
