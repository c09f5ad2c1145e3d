"""The audit table, found: by who, what, when and to what, some at a time."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.models import AuditAction, AuditEntry, AuditOutcome, TaskRecord
from qu_workflows.records.queries import AuditFilter, list_audit

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def entry(target: str = "one", **given: Any) -> AuditEntry:
    values = {"actor": "ann", "action": AuditAction.REDRIVE_EXECUTION, "outcome": AuditOutcome.DONE, "at": NOW}
    return AuditEntry.objects.create(target=target, **values | given)


def task(task_id: str) -> TaskRecord:
    return TaskRecord.objects.create(pk=task_id, task="process_guard_report", workflow="guard_report", enqueued_at=NOW)


def targets(**given: Any) -> list[str]:
    return [row.target for row in list_audit(AuditFilter(**given)).rows]


@pytest.mark.parametrize(
    "given",
    [
        {"actor": "BO"},
        {"action": "stop_execution"},
        {"outcome": "failed"},
        {"target": "wanted"},
        {"batch": "019ab000-0000-7000-8000-000000000001"},
        {"since": NOW + timedelta(seconds=1)},
    ],
    ids=lambda given: next(iter(given)),
)
def test_each_part_of_a_filter_finds_its_own(given: dict[str, Any]) -> None:
    entry("other")
    entry(
        "wanted",
        actor="bob@host",
        action=AuditAction.STOP_EXECUTION,
        outcome=AuditOutcome.FAILED,
        batch=UUID("019ab000-0000-7000-8000-000000000001"),
        at=NOW + timedelta(minutes=1),
    )

    assert targets(**given) == ["wanted"]


def test_what_was_done_before_a_time_is_found() -> None:
    entry("old", at=NOW - timedelta(days=1))
    entry("new")

    assert targets(until=NOW) == ["old"]


def test_pages_meet_without_gap_or_repeat_though_times_are_equal() -> None:
    made = [str(number) for number in range(7)]
    for target in made:
        entry(target)

    found, page = [], ""
    while True:
        part = list_audit(AuditFilter(), limit=3, page=page)
        found += [row.target for row in part.rows]
        page = part.next_page
        if not page:
            break

    assert found == made[::-1]


def test_entries_are_tied_to_tasks_that_are_recorded(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for task_id in ("redriven", "run-by-hand", "dead"):
        task(task_id)
    entry("redriven")
    entry("gone")
    entry("watch_stuck", action=AuditAction.RUN_SCHEDULE, details={"task_id": "run-by-hand"})
    entry("message", action=AuditAction.PURGE_DEAD_LETTERS, details={"task_id": "dead"})
    entry("tasks-dlq", action=AuditAction.REDRIVE_DEAD_LETTERS, details={"ids": ["message"]})

    with django_assert_num_queries(2):
        rows = list_audit(AuditFilter()).rows

    assert {row.target: row.task_id for row in rows} == {
        "redriven": "redriven",
        "gone": "",
        "watch_stuck": "run-by-hand",
        "message": "dead",
        "tasks-dlq": "",
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"action": "delete"}, "Choose one of"),
        ({"outcome": "well"}, "Choose one of"),
        ({"batch": "none"}, "not a batch id"),
        ({"actor": "a\x00b"}, "character"),
        ({"target": "\ud800"}, "character"),
    ],
)
def test_what_no_entry_has_is_refused_in_a_sentence(given: dict[str, Any], said: str) -> None:
    with pytest.raises(OperationRefused, match=said):
        list_audit(AuditFilter(**given))


@pytest.mark.parametrize("page", ["x", "2026-11-24,1", "2026-11-24T08:00:00Z,-1", "2026-11-24T08:00:00Z,9" + "9" * 30])
def test_a_page_that_is_none_is_refused(page: str) -> None:
    with pytest.raises(OperationRefused, match="not a page"):
        list_audit(AuditFilter(), page=page)
