"""An escalation without AWS: a thread waits for the acknowledgement page."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from asl_engine.adapters.performer import Ended, TaskError
from incidents.services import acknowledge, mark_incident
from lambdas.in_process.await_acknowledgement import lambda_handler
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks.outbox import send_outbox
from qu_workflows.tasks.without_queue import Threads
from tests.backend.incidents.making import make_incident, make_inquiry
from tests.backend.people import make_user
from tests.backend.qu_workflows.projects import run_in_threads
from workflows.errors import RecipientNotFound

SECONDS_AT_MOST = 20


@pytest.fixture(autouse=True)
def files(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MEDIA_ROOT = tmp_path / "files" / "media"
    monkeypatch.setenv("DJANGO_MEDIA_ROOT", str(settings.MEDIA_ROOT))
    monkeypatch.setattr("lambdas.in_process.await_acknowledgement.POLL_SECONDS", 0.05)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_AT_MOST
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.django_db
def test_an_answer_ends_the_state_with_the_acknowledgement(settings: Settings) -> None:
    settings.IN_PROCESS_WORKFLOWS = "thread"
    inquiry = make_inquiry(task_token="")
    acknowledge(inquiry.pk)

    ended = lambda_handler({"task_id": "t-1", "inquiry_id": inquiry.pk, "task_token": "the engine's"}, None)

    assert isinstance(ended, Ended)
    assert ended.output["user_id"] == inquiry.user_id


@pytest.mark.django_db
@pytest.mark.parametrize(("heartbeat_seconds", "error"), [(1, "States.HeartbeatTimeout"), (5, "States.Timeout")])
def test_silence_ends_like_a_timeout_of_step_functions(settings: Settings, heartbeat_seconds: int, error: str) -> None:
    settings.IN_PROCESS_WORKFLOWS = "thread"
    settings.INCIDENT_HEARTBEAT_SECONDS = heartbeat_seconds
    now = timezone.now()
    inquiry = make_inquiry(task_token="", asked_at=now, answer_by=now + timedelta(seconds=1.5))

    with pytest.raises(TaskError) as raised:
        lambda_handler({"task_id": "t-1", "inquiry_id": inquiry.pk, "task_token": "the engine's"}, None)

    inquiry.refresh_from_db()
    assert (raised.value.error, inquiry.status) == (error, "unanswered")


@pytest.mark.django_db
def test_the_turn_of_a_deleted_account_ends(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.IN_PROCESS_WORKFLOWS = "thread"
    inquiry = make_inquiry(task_token="")
    monkeypatch.setattr(time, "sleep", lambda _seconds: inquiry.user.delete())  # while this waits

    with pytest.raises(RecipientNotFound):
        lambda_handler({"task_id": "t-1", "inquiry_id": inquiry.pk, "task_token": "the engine's"}, None)


@pytest.mark.django_db(transaction=True)
def test_a_command_runs_other_tasks_before_it_waits(settings: Settings) -> None:
    settings.USE_ASYNC_TASKS = False
    settings.IN_PROCESS_WORKFLOWS = "thread"
    settings.INCIDENT_ANSWER_SECONDS, settings.INCIDENT_HEARTBEAT_SECONDS = 3, 2
    report, long_ago = make_incident(make_user()), timezone.now() - timedelta(minutes=9)
    escalation = TaskRecord.objects.create(
        task="escalate_incident",
        workflow="incident_escalation",
        payload={"report_id": report.pk},
        subject_id=report.pk,
        enqueued_at=long_ago,
    )
    after = timezone.now() - timedelta(minutes=5)
    other = TaskRecord.objects.create(task="retention_sweep", workflow="run_task", enqueued_at=after)
    out = StringIO()

    call_command("resend_tasks", stdout=out)

    for record in (escalation, other):
        record.refresh_from_db()
    assert escalation.error == "NobodyAcknowledged"
    assert other.status == TaskStatus.SUCCEEDED
    assert other.finished_at is not None
    assert escalation.finished_at is not None
    assert other.finished_at < escalation.finished_at - timedelta(seconds=1)
    assert "1 tasks run here" in out.getvalue()
    assert "1 more wait for an answer" in out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_the_outbox_without_a_queue_does_not_wait(settings: Settings) -> None:
    settings.USE_ASYNC_TASKS = False
    settings.IN_PROCESS_WORKFLOWS = "thread"
    settings.INCIDENT_ANSWER_SECONDS, settings.INCIDENT_HEARTBEAT_SECONDS = 3, 2
    report = make_incident(make_user())
    record = TaskRecord.objects.create(
        task="escalate_incident",
        workflow="incident_escalation",
        payload={"report_id": report.pk},
        subject_id=report.pk,
        enqueued_at=timezone.now() - timedelta(minutes=9),
    )
    begun = time.monotonic()

    assert send_outbox() == {"sent": 1, "failed": 0, "first_error": ""}

    assert time.monotonic() - begun < 2
    until(lambda: TaskRecord.objects.filter(pk=record.pk, status=TaskStatus.FAILED).exists())


@pytest.mark.django_db(transaction=True)
def test_inline_all_persons_are_notified_without_waiting(settings: Settings) -> None:
    settings.IN_PROCESS_WORKFLOWS = "inline"
    people = [make_user(), make_user()]
    report = make_incident(*people, is_incident=False)

    task_id = mark_incident(report.pk)

    record = TaskRecord.objects.get(pk=task_id)
    assert (record.status, record.error) == (TaskStatus.FAILED, "NobodyAcknowledged")
    assert [message.to for message in mail.outbox] == [[person.email] for person in people]


@pytest.fixture
def background(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Threads]:
    made = run_in_threads(monkeypatch)
    settings.IN_PROCESS_WORKFLOWS = "thread"
    yield made
    TaskRecord.objects.exclude(status__in=[TaskStatus.SUCCEEDED, TaskStatus.FAILED]).update(status=TaskStatus.FAILED)


@pytest.mark.django_db(transaction=True)
def test_an_escalation_in_the_background_blocks_no_other_task(background: Threads) -> None:
    first = make_user()
    report = make_incident(first, is_incident=False)

    task_id = mark_incident(report.pk)

    until(lambda: report.inquiries.exclude(task_token="").exists())
    assert background.wait(SECONDS_AT_MOST)  # the threads of the others are free
    record = TaskRecord.objects.get(pk=task_id)
    assert record.status == TaskStatus.RUNNING
    link = re.search(r"http://127\.0\.0\.1:8000(/incidents/\S+/)", str(mail.outbox[0].body))
    assert link is not None
    browser = Client()
    assert browser.post(link[1], {"answer": "sign"}).status_code == 302
    assert browser.post(link[1], {"answer": "acknowledge"}).status_code == 302

    until(lambda: TaskRecord.objects.filter(pk=task_id, status=TaskStatus.SUCCEEDED).exists())
    record.refresh_from_db()
    result: dict[str, Any] = record.result or {}
    assert (result["user_id"], result["turns"]) == (first.pk, 1)
    connections.close_all()
