"""manage.py schedules, and the system check of what is declared."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.utils import timezone

from qu_workflows.protocol.execution_names import scheduled_id
from qu_workflows.protocol.schedule import Overlap, Schedule
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.schedules import apps, queries
from qu_workflows.schedules.management.commands import schedules as command
from qu_workflows.schedules.queries import schedule_standings
from qu_workflows.tasks.scheduled_runs import reason_to_skip
from tests.backend.qu_workflows.projects import declare_schedules
from workflows.schedules import SCHEDULES

NIGHTLY = Schedule(
    "nightly",
    "sample_sum",
    "cron(0 3 * * ? *)",
    "Adds at night.",
    {"first": 1},
    time_zone="America/New_York",
    flexible_window_minutes=15,
    overlap=Overlap.SKIP,
    start_deadline_seconds=3600,
)
MORNING = datetime(2026, 11, 24, 12, tzinfo=UTC)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("schedules", *arguments, stdout=out)
    return out.getvalue()


def declare(monkeypatch: pytest.MonkeyPatch, *declared: Schedule) -> None:
    monkeypatch.setattr(command, "schedule_standings", lambda: schedule_standings(declared, MORNING))


def record_run(at: datetime, **changes: Any) -> TaskRecord:
    return TaskRecord.objects.create(
        pk=scheduled_id("nightly", at),
        schedule="nightly",
        task=NIGHTLY.task,
        workflow="run_task",
        enqueued_at=at,
        started_at=at,
        **changes,
    )


@pytest.mark.django_db
class TestList:
    def test_a_schedule_is_shown_with_its_next_three_runs_in_its_zone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        declare(monkeypatch, NIGHTLY)

        shown = run("list")

        assert shown.splitlines() == [
            "nightly  Adds at night.",
            "  task      sample_sum",
            "  runs      cron(0 3 * * ? *) in America/New_York, within 15 minutes",
            "  next      2026-11-25 03:00:00 EST, 2026-11-26 03:00:00 EST, 2026-11-27 03:00:00 EST",
            "  overlap   skip",
            "  deadline  3,600 s after its time",
            "  last      not recorded yet",
        ]

    def test_the_last_run_is_listed_with_its_status(self, monkeypatch: pytest.MonkeyPatch) -> None:
        declare(monkeypatch, NIGHTLY)
        record_run(datetime(2026, 11, 23, 8, tzinfo=UTC), status=TaskStatus.FAILED)
        record_run(datetime(2026, 11, 24, 8, tzinfo=UTC), status=TaskStatus.SUCCEEDED, result=3)

        assert "last      nightly-20261124T080000Z SUCCEEDED at 2026-11-24 03:00:00 EST\n" in run("list")

    def test_a_run_that_was_skipped_says_why(self, monkeypatch: pytest.MonkeyPatch) -> None:
        declare(monkeypatch, NIGHTLY)
        record_run(MORNING, status=TaskStatus.SUCCEEDED, result={"skipped": "Too late."})

        assert "SUCCEEDED at 2026-11-24 07:00:00 EST, skipped: Too late." in run("list")

    def test_a_schedule_with_a_problem_is_listed_with_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        declare(monkeypatch, replace(NIGHTLY, time_zone="Here", task="none"))

        shown = run("list")

        assert "problem   Schedule 'nightly', task: 'none' is not in the catalog" in shown
        assert "problem   Schedule 'nightly', time_zone: 'Here' is not a time zone" in shown
        assert "next" not in shown

    def test_a_rate_counts_from_its_last_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        declare(monkeypatch, replace(NIGHTLY, expression="rate(5 minutes)", time_zone="UTC"))
        record_run(MORNING.replace(hour=11, minute=58))

        assert "next      2026-11-24 12:03:00 UTC, 2026-11-24 12:08:00 UTC" in run("list")

    def test_as_json_it_says_the_same(self, monkeypatch: pytest.MonkeyPatch) -> None:
        declare(monkeypatch, NIGHTLY, replace(NIGHTLY, name="other", task="none"))
        record_run(MORNING, status=TaskStatus.SUCCEEDED, finished_at=MORNING, result={"skipped": "Too late."})

        nightly, other = json.loads(run("list", "--json"))

        assert nightly["next_runs"][0] == "2026-11-25T03:00:00-05:00"
        assert nightly["last_run"] == {
            "task_id": "nightly-20261124T120000Z",
            "status": "SUCCEEDED",
            "began_at": "2026-11-24T07:00:00-05:00",
            "finished_at": "2026-11-24T07:00:00-05:00",
            "skipped": "Too late.",
        }
        assert (nightly["problems"], nightly["overlap"], nightly["payload"]) == ([], "skip", {"first": 1})
        assert (len(other["problems"]), other["next_runs"], other["last_run"]) == (1, [], None)

    def test_the_declared_schedules_are_all_listed(self) -> None:
        listed = json.loads(run("list", "--json"))

        assert [one["name"] for one in listed] == [schedule.name for schedule in SCHEDULES]
        assert all(len(one["next_runs"]) == 3 and not one["problems"] for one in listed)

    def test_the_runs_of_a_declared_schedule_are_found(self) -> None:
        task_id = scheduled_id("send_outbox", timezone.now())
        assert reason_to_skip(task_id) is None

        [standing] = [it for it in schedule_standings() if it.schedule.name == "send_outbox"]

        assert standing.last_run is not None
        assert (standing.last_run.pk, standing.last_run.task, standing.skipped) == (task_id, "send_outbox", None)


class TestNext:
    def test_next_previews_any_expression(self) -> None:
        assert run("next", "at(2199-01-01T07:00:00)", "--time-zone", "America/New_York") == "2199-01-01 07:00:00 EST\n"
        assert len(run("next", "rate(5 minutes)", "--count", "7").splitlines()) == 7

    def test_next_prints_the_time_zone_as_json(self) -> None:
        assert json.loads(run("next", "at(2199-01-01T07:00:00)", "--json")) == {
            "expression": "at(2199-01-01T07:00:00)",
            "time_zone": "UTC",
            "next_runs": ["2199-01-01T07:00:00+00:00"],
        }

    def test_an_expression_without_runs_says_so(self) -> None:
        assert run("next", "at(2020-01-01T00:00:00)") == "at(2020-01-01T00:00:00) never runs again.\n"

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["cron(0 7 * * * *)"], "day-of-month and day-of-week: are both given"),
            (["rate(1 minutes)"], r"Write rate\(1 minute\)"),
            (["cron(0 0 30 2 ? *)"], "never runs"),
            (["rate(1 minute)", "--time-zone", "Here"], "--time-zone: 'Here' is not a time zone"),
            (["rate(1 minute)", "--count", "0"], "--count: 0 is not 1 to 1,000"),
        ],
    )
    def test_what_is_refused_is_a_sentence_and_exit_code_2(self, arguments: list[str], words: str) -> None:
        with pytest.raises(CommandError, match=words) as refused:
            run("next", *arguments)

        assert refused.value.returncode == 2


def test_the_system_check_reports_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(apps.check_schedules()) == []

    declare_schedules(monkeypatch, replace(NIGHTLY, task="none"), replace(NIGHTLY, expression="daily"))
    found = [message for message in run_checks() if message.id == "executions.E013"]

    assert [message.msg.partition(",")[0] for message in found] == ["Schedule 'nightly'"] * 3
    assert "'none' is not in the catalog" in found[0].msg
    assert all("make states" in (message.hint or "") for message in found)


def test_the_check_is_silent_for_an_invalid_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ImproperlyConfigured("two tasks of one name")

    monkeypatch.setattr(queries, "scheduled_tasks", fail)

    assert list(apps.check_schedules()) == []
