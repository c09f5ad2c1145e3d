"""The overview: problems, status and the last day, with and without AWS."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from incidents.services import acknowledge_for_staff
from qu_workflows.caching import Cached
from qu_workflows.console.access import Right
from qu_workflows.dead_letters import queries as dead_letter_queries
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.schedules import queries as schedule_queries
from qu_workflows.schedules.deployed import forget_deployed_states
from qu_workflows.schedules.queries import DeployedSchedule, DeployedState
from tests.backend.people import make_report, make_user
from tests.backend.qu_workflows.console import scenes
from tests.backend.qu_workflows.console.test_access import person, signed_in
from tests.backend.qu_workflows.dead_letter_queues import DeadLetterQueue
from workflows.schedules import SCHEDULES

pytestmark = pytest.mark.django_db(transaction=True)

AT_AWS = "arn:aws:states:us-east-2:123456789012:execution:m:"


@pytest.fixture(autouse=True)
def _nothing_known() -> None:
    dead_letter_queries.forget_all()
    forget_deployed_states()


@pytest.fixture
def client() -> Client:
    return signed_in(person(Right.VIEW))


def failed(error: str, days_ago: float, **changes: Any) -> TaskRecord:
    at = timezone.now() - timedelta(days=days_ago)
    values: dict[str, Any] = {
        "task": "process_guard_report",
        "workflow": "guard_report",
        "status": TaskStatus.FAILED,
        "error": error,
        "enqueued_at": at,
        "finished_at": at,
    } | changes
    record = TaskRecord(**values)
    record.execution_arn = AT_AWS + record.pk
    record.save(force_insert=True)
    return record


def needs(client: Client) -> list[tuple[str, int, str]]:
    now = client.get("/console/overview.json").json()["now"]
    return [(need["kind"], need["count"], need["url"]) for need in now["needs"]]


def test_a_quiet_day_has_no_problems(client: Client) -> None:
    page = client.get("/console/").content.decode()

    assert "None." in page
    assert "No task was recorded in the last 24 hours." in page
    assert "sample_histories" in page


def test_failures_are_grouped_by_error_most_urgent_first(client: Client) -> None:
    failed("StorageUnavailable", 1)
    failed("DatabaseUnavailable", 13.1)
    failed("DatabaseUnavailable", 2)
    failed("TooLate", 15)
    failed("Stopped", 1, status=TaskStatus.ABORTED)

    assert needs(client) == [
        ("redrivable", 2, "/console/tasks/?workflow=guard_report&redrivable=1&q=error%3ADatabaseUnavailable"),
        ("redrivable", 1, "/console/tasks/?workflow=guard_report&redrivable=1&q=error%3AStorageUnavailable"),
    ]
    assert (
        "DatabaseUnavailable. The oldest can be redriven for another 21 h" in client.get("/console/").content.decode()
    )


def test_a_secret_in_the_name_of_an_error_is_on_no_list(admin_client: Client) -> None:
    record = failed("Refused password=hunter2", 1, payload={"report_id": 7})
    addresses = ["", "overview.json", "tasks/", "tasks.json", f"tasks/{record.pk}/", f"tasks/{record.pk}.json"]

    shown = [admin_client.get(f"/console/{address}").content.decode() for address in addresses]
    shown.append(admin_client.get("/console/tasks/preview/", {"act": "restart", "id": record.pk}).content.decode())

    assert [text for text in shown if "hunter2" in text] == []
    assert [text for text in shown if "Refused password=•••" not in text and "\\u2022" not in text] == []


def test_failures_of_an_error_have_the_time_of_the_first(client: Client) -> None:
    failed("DatabaseUnavailable", 2)
    first = failed("DatabaseUnavailable", 13.1)

    [need] = client.get("/console/overview.json").json()["now"]["needs"]

    assert datetime.fromisoformat(need["since"]) == first.finished_at


def test_only_the_last_attempt_of_a_restarted_task_needs_attention(client: Client) -> None:
    first = failed("Lost", 3)
    failed("LostAgain", 2, pk=f"{first.pk}-attempt-2", attempt_of=first.pk)
    failed("LostAtLast", 1, pk=f"{first.pk}-attempt-3", attempt_of=first.pk)

    [need] = needs(client)

    assert need[2].endswith("q=error%3ALostAtLast")


def test_an_incident_is_shown_until_it_is_acknowledged(client: Client) -> None:
    report = make_report(is_incident=True)
    assert needs(client) == [("incident", 1, f"/admin/reports/guardreport/{report.pk}/change/")]

    acknowledge_for_staff(report.pk, make_user("supervisor", is_staff=True))

    assert needs(client) == []


def test_an_open_alert_shows_the_stuck_tasks(client: Client) -> None:
    alert = scenes.alert()
    alert.findings = {"unsent": {"count": 3, "oldest": timezone.now().isoformat(), "examples": []}}
    alert.save()

    assert needs(client) == [("stuck_unsent", 3, "/console/tasks/?status=READY&scheduled=1")]


def test_dead_letters_have_their_number_and_reasons(client: Client, dead_letters: DeadLetterQueue) -> None:
    dead_letters.put("no JSON")
    dead_letters.put("nor this")

    page = client.get("/console/").content.decode()

    assert "2 dead letters" in page
    assert "2 Not a JSON object" in page
    assert ("dead_letters", 2, "/console/dead-letters/") in needs(client)


def test_a_paused_schedule_is_shown(
    client: Client, dead_letters: DeadLetterQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    del dead_letters
    states = {one.name: DeployedSchedule(DeployedState.RUNNING) for one in SCHEDULES}
    states["send_outbox"] = DeployedSchedule(DeployedState.PAUSED)
    monkeypatch.setattr(schedule_queries, "deployed_states", lambda _wait: Cached(states))

    assert needs(client) == [("paused", 1, "/console/schedules/send_outbox/")]


def test_without_sqs_the_page_shows_the_rest_and_what_is_unknown(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.USE_ASYNC_TASKS = True
    settings.AWS_SQS_QUEUE_URL = "http://127.0.0.1:9/123456789012/tasks"
    settings.AWS_SQS_DLQ_URL = "http://127.0.0.1:9/123456789012/tasks-dlq"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    failed("Lost", 1)

    page = client.get("/console/").content.decode()

    assert "Unknown: " in page
    assert "unknown" in page
    assert "can be redriven" in page


def test_the_number_of_queries_is_constant(client: Client, django_assert_max_num_queries: Any) -> None:
    scenes.sample(scenes.fill(300))

    with django_assert_max_num_queries(7 + 4):  # the session, the user and two of rights
        page = client.get("/console/").content.decode()

    assert "<svg" in page
    assert "style=" not in page


def test_htmx_gets_what_is_true_now_and_nothing_of_the_day(client: Client) -> None:
    part = client.get("/console/", headers={"HX-Request": "true"}).content.decode()

    assert part.lstrip().startswith('<div id="now"')
    assert "Slowest steps" not in part
