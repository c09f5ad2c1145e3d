"""The whole daily_report_digest workflow in this process: its state machine, its functions, Django's mailbox."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from asl_engine.clock import SkippingClock
from common.tasks import daily_report_digest
from core.models import Client
from qu_workflows.protocol.execution_names import attempt_id
from qu_workflows.protocol.project import StepHandler
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks.without_queue import StepContext, run_recorded
from tests.backend.people import make_client, make_property, make_report
from tests.backend.qu_workflows.projects import replace_step
from workflows.errors import TemplateInvalid

pytestmark = pytest.mark.django_db(transaction=True)

type Step = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def _files(media_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_MEDIA_ROOT", str(media_root))


@pytest.fixture
def clients() -> list[Client]:
    """Five clients, each with a report of yesterday."""
    yesterday = timezone.now() - timedelta(days=1)
    places = [make_property(owner=make_client(), name=f"House {number}") for number in range(5)]
    for place in places:
        make_report(property=place, report_datetime=yesterday, processed_at=yesterday)
    return [place.owner for place in places]


def wrap(monkeypatch: pytest.MonkeyPatch, name: str, make: Callable[[Step], Step]) -> None:
    """Put a step of the workflow behind another that may not reach it."""

    def wrapped(handler: StepHandler) -> StepHandler:
        step = make(lambda event: handler(event, StepContext(name)))
        return lambda event, _context: step(event)

    replace_step(monkeypatch, name, wrapped)


def run(task_id: str) -> TaskRecord:
    """Run the workflow as a task of this id, waiting for nothing."""
    TaskRecord.objects.create(
        pk=task_id,
        task="daily_report_digest",
        workflow="daily_report_digest",
        payload={},
        status=TaskStatus.READY,
        enqueued_at=timezone.now(),
    )
    record = run_recorded(task_id, SkippingClock())
    assert record is not None
    return record


def result_of(record: TaskRecord) -> Any:
    """The execution's output, a SentDigests."""
    return record.result


def readers() -> list[str]:
    return sorted(message.to[0] for message in mail.outbox)


def test_each_client_is_mailed_yesterdays_reports_in_this_process(clients: list[Client]) -> None:
    daily_report_digest()

    record = TaskRecord.objects.get()
    assert (record.status, record.error, record.ran_inline) == (TaskStatus.SUCCEEDED, "", True)
    assert result_of(record)["date"] == f"{timezone.localdate() - timedelta(days=1)}"
    assert result_of(record)["digests"] == [{"client_id": client.pk, "status": "sent"} for client in clients]
    assert readers() == sorted(client.user.email for client in clients)
    assert all(re.fullmatch(r"Yesterday at House \d: 1 report", str(message.subject)) for message in mail.outbox)


@pytest.mark.usefixtures("clients")
def test_a_requested_day_is_reported() -> None:
    daily_report_digest(date="2020-02-29")

    record = TaskRecord.objects.get()
    assert (record.status, record.result) == (
        TaskStatus.SUCCEEDED,
        {"date": "2020-02-29", "skipped": None, "digests": []},
    )
    assert mail.outbox == []


@pytest.mark.usefixtures("clients")
def test_a_day_that_has_not_ended_fails_without_a_mail() -> None:
    daily_report_digest(date=f"{timezone.localdate()}")

    record = TaskRecord.objects.get()
    assert (record.status, record.error) == (TaskStatus.FAILED, "PayloadInvalid")
    assert "has not ended" in record.cause
    assert mail.outbox == []


def test_the_failure_of_one_client_does_not_stop_others(clients: list[Client], monkeypatch: pytest.MonkeyPatch) -> None:
    gone, wrong_zone, crashing, unrendered, fine = clients

    def make(step: Step) -> Step:
        def render(event: Any) -> Any:
            if event["digest"]["client_id"] == gone.pk:
                # After the list was made.
                Client.objects.filter(pk=gone.pk).update(is_active=False)
            if event["digest"]["client_id"] == crashing.pk:
                raise MemoryError("as a bug would have it")
            if event["digest"]["client_id"] == unrendered.pk:
                raise TemplateInvalid("emails/digest.html", "cannot be rendered.", "Fix it.")
            return step(event)

        return render

    wrong_zone.properties.update(time_zone="Mars/Olympus")
    wrap(monkeypatch, "render_email", make)

    record = run("t-1")

    assert record.status == TaskStatus.SUCCEEDED
    assert result_of(record)["digests"] == [
        {"client_id": gone.pk, "status": "not_sent", "error": "RecipientNotFound"},
        {"client_id": wrong_zone.pk, "status": "not_sent", "error": "ZoneInfoNotFoundError"},
        {"client_id": crashing.pk, "status": "not_sent", "error": "MemoryError"},
        {"client_id": unrendered.pk, "status": "not_sent", "error": "TemplateInvalid"},
        {"client_id": fine.pk, "status": "sent"},
    ]
    assert readers() == [fine.user.email]


def test_a_restart_mails_only_those_who_got_none(clients: list[Client], monkeypatch: pytest.MonkeyPatch) -> None:
    unlucky = clients[1]

    def make(step: Step) -> Step:
        def render(event: Any) -> Any:
            if event["digest"]["client_id"] == unlucky.pk:
                raise KeyError("a bug")
            return step(event)

        return render

    with monkeypatch.context() as broken:
        wrap(broken, "render_email", make)
        assert result_of(run("t-1"))["digests"][1] == {
            "client_id": unlucky.pk,
            "status": "not_sent",
            "error": "KeyError",
        }
    assert unlucky.user.email not in readers()

    again = run(attempt_id("t-1", 2))

    statuses = ["already_sent", "sent", "already_sent", "already_sent", "already_sent"]
    assert [digest["status"] for digest in result_of(again)["digests"]] == statuses
    assert readers() == sorted(client.user.email for client in clients)
