"""The pages of the schedules: runs, outcomes and actions."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from moto import mock_aws
from pytest_django import DjangoAssertNumQueries, Settings

from qu_workflows.aws import clients as aws
from qu_workflows.console.access import Right
from qu_workflows.console.pages.schedule_wording import in_words
from qu_workflows.protocol.execution_names import scheduled_id
from qu_workflows.records.models import AuditEntry, TaskRecord, TaskStatus
from tests.backend.qu_workflows.console.test_access import person, signed_in
from tests.backend.qu_workflows.schedules.test_services import GROUP, NAME, deploy, found
from workflows.schedules import SCHEDULES

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def client() -> Client:
    return signed_in(person(*Right))


@pytest.fixture(autouse=True)
def _group(settings: Settings) -> Iterator[None]:
    with mock_aws():
        settings.USE_ASYNC_TASKS = True
        settings.AWS_SCHEDULES_GROUP_NAME = GROUP
        settings.AWS_SQS_QUEUE_URL = aws.sqs().create_queue(QueueName="tasks")["QueueUrl"]
        aws.scheduler().create_schedule_group(Name=GROUP)
        yield


def ran(name: str = NAME, hours_ago: float = 1, **changes: Any) -> TaskRecord:
    at = timezone.now() - timedelta(hours=hours_ago)
    values = {"task": name, "workflow": name, "schedule": name, "enqueued_at": at, "started_at": at}
    return TaskRecord.objects.create(**{"pk": scheduled_id(name, at)} | values | changes)


def test_every_schedule_is_shown_with_its_next_runs_and_its_last(client: Client) -> None:
    deploy()
    ran(status=TaskStatus.FAILED, error="Broken")
    ran(hours_ago=25, status=TaskStatus.SUCCEEDED, result={"skipped": "An earlier one had not ended."})

    page = client.get("/console/schedules/").content.decode()
    [digest] = [one for one in client.get("/console/schedules.json").json()["schedules"] if one["name"] == NAME]

    assert all(schedule.name in page for schedule in SCHEDULES)
    assert "at 07:00, every day, America/New_York" in page
    assert "An earlier one had not ended." in page
    assert digest["state"] == "running"
    assert len(digest["next_runs"]) == 3
    assert [run["status"] for run in digest["last_runs"]] == ["FAILED", "SUCCEEDED"]
    assert digest["differences"] == []


def test_the_list_asks_the_database_the_same_few_questions_however_much_ran(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for schedule in SCHEDULES:
        for hour in range(5):
            ran(schedule.name, hours_ago=hour)

    with django_assert_max_num_queries(len(SCHEDULES) + 5):
        client.get("/console/schedules/")


def test_a_schedule_is_paused_and_resumed(client: Client) -> None:
    deploy()

    page = client.post(f"/console/schedules/{NAME}/pause/", follow=True).content.decode()
    assert f"{NAME} is paused now" in page
    assert "After resuming" in page
    assert found()["State"] == "DISABLED"

    page = client.post(f"/console/schedules/{NAME}/resume/", follow=True).content.decode()
    assert found()["State"] == "ENABLED"
    assert "which resumes a paused schedule" in page
    assert AuditEntry.objects.count() == 2


def test_a_schedule_is_run_now_and_its_run_is_in_its_history(client: Client) -> None:
    deploy("watch_stuck")

    page = client.post("/console/schedules/watch_stuck/run/", follow=True).content.decode()

    record = TaskRecord.objects.get()
    assert f"watch_stuck runs now as task {record.pk}." in page
    assert f'href="/console/tasks/{record.pk}/"' in page
    assert "started by a user" in page
    again = client.post("/console/schedules/watch_stuck/run/", follow=True).content.decode()
    assert "is on its way" in again
    assert TaskRecord.objects.count() == 1


def test_how_a_deployed_schedule_differs_is_shown_beside_what_is_declared(client: Client) -> None:
    deploy(ScheduleExpression="cron(0 9 * * ? *)")

    page = client.get(f"/console/schedules/{NAME}/").content.decode()

    assert "It differs from its declaration" in page
    assert "cron(0 9 * * ? *)" in page


def test_an_undeployed_schedule_can_run_but_not_be_paused(client: Client) -> None:
    page = client.get(f"/console/schedules/{NAME}/").content.decode()

    assert "Not deployed" in page
    assert "/pause/" not in page
    assert "/run/" in page


def test_when_aws_says_nothing_the_page_shows_what_is_declared_and_recorded(client: Client, settings: Settings) -> None:
    settings.USE_ASYNC_TASKS = False
    ran(status=TaskStatus.SUCCEEDED)

    page = client.get(f"/console/schedules/{NAME}/").content.decode()

    assert "It is unknown whether the schedule is on or paused." in page
    assert "Succeeded" in page
    assert "at 07:00, every day" in page


def test_a_history_is_paged(client: Client) -> None:
    for hour in range(51):
        ran(hours_ago=hour + 1)

    first = client.get(f"/console/schedules/{NAME}.json").json()
    second = client.get(f"/console/schedules/{NAME}.json", {"page": first["next_page"]}).json()

    assert (len(first["runs"]), len(second["runs"])) == (50, 1)


@pytest.mark.parametrize("address", ["weekly/", f"{NAME}/?page=x"])
def test_what_is_not_there_is_not_found(client: Client, address: str) -> None:
    assert client.get(f"/console/schedules/{address}").status_code == 404


def test_who_may_not_change_schedules_is_shown_no_buttons(client: Client) -> None:
    deploy()
    viewer = signed_in(person(Right.VIEW))

    for address in ("/console/schedules/", f"/console/schedules/{NAME}/"):
        assert "/pause/" in client.get(address).content.decode()
        assert "/pause/" not in viewer.get(address).content.decode()


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("rate(1 minute)", "every minute"),
        ("rate(5 minutes)", "every 5 minutes"),
        ("rate(1 day)", "every day"),
        ("at(2026-12-24T18:00:00)", "once, at 2026-12-24 18:00:00"),
        ("cron(0 7 * * ? *)", "at 07:00, every day"),
        ("cron(0 6 ? * MON-FRI *)", "at 06:00, Monday to Friday"),
        ("cron(30 8,17 ? * 2,SAT *)", "at 08:30 and 17:30, Monday and Saturday"),
        ("cron(0 0 1 JAN,JUL ? *)", "at 00:00, on day 1 of the month, in January and July"),
        ("cron(0 12 L * ? 2027)", "at 12:00, on the last day of the month, in the years 2027"),
        ("cron(*/15 8-17 ? * * *)", "every 15 minutes of the hours 8-17, every day"),
        ("cron(5 * * * ? *)", "every hour at minute 5, every day"),
        ("cron(0 9 ? * 6#3 *)", "at 09:00, on the days 6#3 of the week"),
        ("no expression", "no expression"),
    ],
)
def test_an_expression_is_described_in_words(expression: str, words: str) -> None:
    assert in_words(expression) == words
