"""The audit page: who did what, with nothing that is to be masked."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from qu_workflows.console.access import Right
from qu_workflows.records.models import AuditAction, AuditEntry, AuditOutcome, TaskRecord
from tests.backend.qu_workflows.console.test_access import person, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return signed_in(person(Right.VIEW))


def entry(**given: Any) -> AuditEntry:
    values = {"actor": "ann", "action": AuditAction.STOP_EXECUTION, "target": "one", "outcome": AuditOutcome.DONE}
    return AuditEntry.objects.create(**values | given)


def test_an_entry_is_readable_and_its_details_are_masked(client: Client) -> None:
    entry(details={"password": "hunter2", "reason": "stuck"}, message="token=abcdefgh stopped")

    page = client.get("/console/audit/").content.decode()
    twin = client.get("/console/audit.json").json()

    assert "Stop execution" in page
    assert "stuck" in page
    for shown in (page, str(twin)):
        assert "hunter2" not in shown
        assert "abcdefgh" not in shown
    assert twin["entries"][0]["details"]["reason"] == "stuck"


def test_a_typed_reason_is_escaped(client: Client) -> None:
    entry(message="<script>alert(1)</script>", details={"<b>": "<img src=x>"})

    page = client.get("/console/audit/").content.decode()

    assert "<script>alert" not in page
    assert "<img" not in page


def test_tasks_and_schedules_are_linked(client: Client) -> None:
    TaskRecord.objects.create(pk="one", task="t", workflow="run_task", enqueued_at=timezone.now())
    entry()
    entry(action=AuditAction.PAUSE_SCHEDULE, target="watch_stuck")

    page = client.get("/console/audit/").content.decode()

    assert 'href="/console/tasks/one/"' in page
    assert 'href="/console/schedules/watch_stuck/"' in page


def test_a_filter_and_a_page_stay_in_the_address(client: Client) -> None:
    for _number in range(51):
        entry(actor="bob")
    entry(actor="ann")

    first = client.get("/console/audit/", {"actor": "bob"})
    twin = client.get("/console/audit.json", {"actor": "bob"}).json()
    second = client.get("/console/audit.json", {"actor": "bob", "page": twin["next_page"]}).json()

    assert 'value="bob"' in first.content.decode()
    assert "actor=bob&amp;page=" in first.content.decode()
    assert len(twin["entries"]) == 50
    assert len(second["entries"]) == 1


@pytest.mark.parametrize("query", ["action=delete", "since=yesterday", "page=x", "batch=1", "actor=%00"])
def test_a_filter_that_fits_nothing_there_is_answered_with_a_sentence(client: Client, query: str) -> None:
    response = client.get(f"/console/audit/?{query}")

    assert response.status_code == 400
    assert "notice-error" in response.content.decode()


def test_an_empty_table_says_what_comes_into_it(client: Client) -> None:
    assert "There are no entries yet" in client.get("/console/audit/").content.decode()
