"""The declared schedules, and the problems reported for invalid ones."""

from dataclasses import replace
from typing import Any

import pytest

from qu_workflows.protocol.catalog import CatalogEntry, Parameter
from qu_workflows.protocol.schedule import RetryPolicy, Schedule
from qu_workflows.schedules.problems import problems_of, problems_of_all
from workflows.project import PROJECT
from workflows.schedules import SCHEDULES, SCHEDULES_BY_NAME

TASKS = {"rename": CatalogEntry("rename", "run_task", parameters={"old": Parameter("string", required=True)})}
GOOD = Schedule("rename_nightly", "rename", "cron(0 3 * * ? *)", "Renames.", {"old": "a"}, time_zone="Europe/Madrid")


def test_the_declared_schedules_can_be_rendered() -> None:
    assert problems_of_all(SCHEDULES, PROJECT.catalog) == []
    assert len(SCHEDULES_BY_NAME) == len(SCHEDULES)


def test_a_schedule_as_it_should_be_has_no_problem() -> None:
    assert problems_of(GOOD, TASKS) == []


def test_a_deadline_may_be_just_after_the_flexible_window() -> None:
    assert problems_of(replace(GOOD, flexible_window_minutes=15, start_deadline_seconds=961), TASKS) == []


@pytest.mark.parametrize("name", ["send_outbox", "watch_stuck"])
def test_schedules_that_watch_the_queue_have_no_deadline(name: str) -> None:
    assert SCHEDULES_BY_NAME[name].start_deadline_seconds is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "rename-nightly"}, "name: cannot name a schedule"),
        ({"name": "a__b"}, "name: cannot name a schedule"),
        ({"name": "a_1"}, "name: cannot name a schedule"),  # A1Schedule, as a1 is
        ({"name": "a" * 41}, "at most 40"),
        ({"task": "renamed"}, "task: 'renamed' is not in the catalog"),
        ({"payload": {}}, "payload: old: is missing. Give rename(old)"),
        ({"payload": {"old": {1, 2}}}, "payload: is not JSON"),
        ({"payload": {"old": float("nan")}}, "payload: is not JSON"),
        ({"payload": {"old": "a" * 20_000}}, "payload: 20,010 bytes"),
        ({"expression": "cron(0 3 * * * *)"}, "expression: cron(0 3 * * * *), day-of-month and day-of-week"),
        ({"expression": "at(2027-03-28T02:30:00)"}, "expression: the clocks of Europe/Madrid skip 2027-03-28T02:30"),
        ({"time_zone": "Europe/Springfield"}, "time_zone: 'Europe/Springfield' is not a time zone"),
        ({"time_zone": "../etc/passwd"}, "is not a time zone"),
        ({"time_zone": "Europe"}, "is not a time zone"),
        ({"time_zone": ""}, "is not a time zone"),
        *(({"time_zone": name}, f"{name!r} is not a time zone") for name in ("localtime", "posix/UTC", "right/UTC")),
        ({"dead_letter_queue": "tasks-dlq"}, "dead_letter_queue: 'tasks-dlq' is not a queue of the template"),
        ({"description": ""}, "description: has 0 characters"),
        ({"flexible_window_minutes": 1441}, "flexible_window_minutes: 1,441 is not 0 to 1,440"),
        ({"flexible_window_minutes": -1}, "flexible_window_minutes: -1"),
        ({"retry_policy": RetryPolicy(186)}, "retry_policy.maximum_retry_attempts: 186 is not 0 to 185"),
        ({"retry_policy": RetryPolicy(1, 59)}, "maximum_event_age_seconds: 59 is not 60 to 86,400"),
        ({"flexible_window_minutes": 15, "start_deadline_seconds": 960}, "the flexible window of 15 minutes: runs"),
        ({"start_deadline_seconds": 60}, "start_deadline_seconds: 60 may end before a run is sent"),
        ({"start_deadline_seconds": 0}, "start_deadline_seconds: 0"),
    ],
)
def test_a_problem_names_schedule_field_and_remedy(changes: dict[str, Any], words: str) -> None:
    [problem] = problems_of(replace(GOOD, **changes), TASKS)

    assert problem.startswith(f"Schedule {changes.get('name', GOOD.name)!r}, ")
    assert words in problem


def test_all_problems_of_a_schedule_are_reported() -> None:
    assert len(problems_of(replace(GOOD, task="none", expression="often", time_zone="here"), TASKS)) == 3


def test_two_schedules_of_one_name_are_a_problem() -> None:
    [problem] = problems_of_all([GOOD, replace(GOOD, expression="rate(1 day)")], TASKS)

    assert problem == "Schedule 'rename_nightly', name: several schedules have it. Rename one."
