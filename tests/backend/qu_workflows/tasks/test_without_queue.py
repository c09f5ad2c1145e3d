"""Workflows without AWS, run by the embedded engine in this process."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from asl_engine.clock import SkippingClock
from common.tasks import process_guard_report, send_notification_email
from core.authentication import issue_api_key
from core.models import Guard
from incidents.services import mark_incident
from qu_workflows.protocol.project import StepHandler
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks import outbox, without_queue
from qu_workflows.tasks.running import this_worker
from qu_workflows.tasks.services import send_task
from qu_workflows.tasks.without_queue import run_recorded
from reports.models import GuardReport, ReportFile
from tests.backend.incidents.making import make_incident
from tests.backend.people import make_client, make_guard, make_property, make_report, make_shift, make_user, photo
from tests.backend.qu_workflows.projects import remove_steps, replace_step
from workflows.errors import StorageUnavailable

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def files(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which whole keys lie."""
    root = tmp_path / "files"
    settings.MEDIA_ROOT = root / "media"
    monkeypatch.setenv("DJANGO_MEDIA_ROOT", str(root / "media"))
    return root


@pytest.fixture
def guard() -> Guard:
    return make_guard()


@pytest.fixture
def app(guard: Guard) -> APIClient:
    _key, text = issue_api_key("Mobile app", guard)
    return APIClient(headers={"X-Api-Key": text, "X-Guard-ID": str(guard.pk)})


@pytest.fixture
def broken_step(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """A step "Record Report" that raises what is in the list, one at each attempt."""
    raises: list[Exception] = []

    def broken(record_report: StepHandler) -> StepHandler:
        def handle(event: Any, context: Any) -> Any:
            if raises:
                raise raises.pop(0)
            return record_report(event, context)

        return handle

    replace_step(monkeypatch, "record_report", broken)
    return raises


def upload(app: APIClient, *uploads: SimpleUploadedFile) -> TaskRecord:
    response = app.post("/api/mobile/guard-reports/", {"files": uploads}, format="multipart")
    assert response.status_code == 201, response.json()
    return TaskRecord.objects.get(pk=response.json()["async_processing"]["task_id"])


def test_an_uploaded_report_becomes_thumbnails_rows_and_mails(app: APIClient, guard: Guard, files: Path) -> None:
    client, supervisor = make_client(), make_user("supervisor")
    make_shift(guard, make_property(supervisor, owner=client))

    record = upload(app, photo("front.jpg", (1600, 1200)), photo("back.jpg"))

    assert (record.status, record.error, record.ran_inline) == (TaskStatus.SUCCEEDED, "", True)
    assert record.execution_arn == f"arn:aws:states:local:000000000000:execution:guard_report:{record.pk}"
    assert record.worker_ids == [this_worker()]
    assert None not in (record.sent_at, record.started_at, record.finished_at)
    kept = ReportFile.objects.order_by("position")
    assert [(file.name, file.status) for file in kept] == [("front.jpg", "accepted"), ("back.jpg", "accepted")]
    thumbnails = list(kept[0].thumbnails.all())
    assert len(thumbnails) >= 3
    assert all((files / thumbnail.key).stat().st_size == thumbnail.size_bytes for thumbnail in thumbnails)
    assert sorted(message.to[0] for message in mail.outbox) == sorted([client.user.email, supervisor.email])
    assert "front.jpg" in mail.outbox[0].body


def test_a_mail_goes_out_as_it_was_composed(app: APIClient, guard: Guard) -> None:
    make_shift(guard)
    upload(app, photo("front.jpg"))

    message = mail.outbox[0].message()
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.walk() if part.get_content_maintype() == "image"] == [
        "image/jpeg"
    ]
    assert mail.outbox[0].subject == message["Subject"]
    assert message["Message-ID"].startswith("<")


def test_a_bad_file_is_rejected_and_the_report_goes_on(app: APIClient) -> None:
    record = upload(app, photo("front.jpg"), SimpleUploadedFile("broken.jpg", b"\xff\xd8\xff no picture", "image/jpeg"))

    assert record.status == TaskStatus.SUCCEEDED
    good, bad = ReportFile.objects.order_by("position")
    assert (good.status, bad.status) == ("accepted", "rejected")
    assert bad.reason


def test_a_step_that_fails_for_good_fails_the_task_with_its_error(app: APIClient, broken_step: list[Exception]) -> None:
    from workflows.errors import ReportNotFound

    broken_step.append(ReportNotFound("report 1", "is gone.", "Upload it again."))

    record = upload(app, photo())

    assert (record.status, record.error) == (TaskStatus.FAILED, "ReportNotFound")
    assert json.loads(record.cause)["errorMessage"] == "report 1: is gone. Upload it again."
    assert mail.outbox == []
    assert record.finished_at is not None


def test_a_step_that_fails_for_now_is_tried_again(broken_step: list[Exception]) -> None:
    report = make_report()
    with transaction.atomic():
        task_id = process_guard_report.enqueue(report.pk).id
        transaction.get_connection().run_on_commit.clear()  # it runs below, with a clock that skips
    broken_step += [StorageUnavailable("disk", "is busy.", "Try again.")] * 2

    record = run_recorded(task_id, SkippingClock())

    assert record is not None
    assert (record.status, broken_step) == (TaskStatus.SUCCEEDED, [])


def test_a_result_that_is_there_before_the_call_returns_is_returned() -> None:
    result = process_guard_report.enqueue(make_report().pk)

    assert result.is_finished
    assert result.return_value == TaskRecord.objects.get().result


def test_a_rolled_back_task_never_runs() -> None:
    report = make_report()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        process_guard_report.enqueue(report.pk)
        raise ZeroDivisionError

    assert not TaskRecord.objects.exists()


def test_a_workflow_is_run_once() -> None:
    task_id = process_guard_report.enqueue(make_report().pk).id

    assert run_recorded(task_id) is None


def test_a_report_sent_again_sends_no_second_mail(app: APIClient, guard: Guard) -> None:
    make_shift(guard)
    upload(app, photo())
    sent = len(mail.outbox)

    record = TaskRecord.objects.get(pk=process_guard_report.enqueue(GuardReport.objects.get().pk).id)

    assert (record.status, len(mail.outbox), sent) == (TaskStatus.SUCCEEDED, 1, 1)


def test_a_large_payload_travels_by_the_store(files: Path) -> None:
    user = make_user()

    record = TaskRecord.objects.get(
        pk=send_notification_email.enqueue(user.pk, "Hello", "emails/welcome.html", {"message": "x" * 300_000}).id
    )

    assert (record.status, record.error, record.cause) == (TaskStatus.SUCCEEDED, "", "")
    assert (files / record.payload_key).stat().st_size > 300_000
    assert [message.to for message in mail.outbox] == [[user.email]]


def test_what_is_not_due_waits_for_the_command() -> None:
    later = process_guard_report.using(run_after=timezone.now() + timedelta(hours=1))
    task_id = later.enqueue(make_report().pk).id
    assert TaskRecord.objects.get(pk=task_id).status == TaskStatus.READY

    call_command("resend_tasks", older_than_seconds=0)
    assert TaskRecord.objects.get(pk=task_id).status == TaskStatus.READY

    TaskRecord.objects.update(run_after=timezone.now())
    call_command("resend_tasks", older_than_seconds=0)
    assert TaskRecord.objects.get(pk=task_id).status == TaskStatus.SUCCEEDED


def test_the_command_says_which_workflow_failed() -> None:
    with transaction.atomic():
        process_guard_report.enqueue(2**40)
        transaction.get_connection().run_on_commit.clear()

    with pytest.raises(CommandError, match="1 tasks failed, the first with ReportNotFound"):
        call_command("resend_tasks", older_than_seconds=0)


def test_fallback_sync_runs_a_workflow_here(
    settings: Settings,
    queue_down: None,  # noqa: ARG001  the queue's URL
) -> None:
    settings.TASK_FALLBACK = "sync"

    task_id = process_guard_report.enqueue(make_report().pk).id

    record = TaskRecord.objects.get(pk=task_id)
    assert (record.status, record.send_attempts) == (TaskStatus.SUCCEEDED, 1)


@pytest.mark.usefixtures("queue_down")
def test_fallback_sync_runs_a_workflow_without_a_function(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.TASK_FALLBACK = "sync"
    monkeypatch.setattr(outbox, "registered_tasks", dict)

    task_id = send_task("process_guard_report", {"report_id": make_report().pk})

    assert TaskRecord.objects.get(pk=task_id).status == TaskStatus.SUCCEEDED


def test_a_fault_of_the_engine_fails_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise MemoryError("too much")

    monkeypatch.setattr(without_queue, "run", broken)

    record = TaskRecord.objects.get(pk=process_guard_report.enqueue(make_report().pk).id)

    assert (record.status, record.error, record.cause) == (TaskStatus.FAILED, "MemoryError", "too much")


def test_a_workflow_with_a_task_token_waits_for_no_answer() -> None:
    people = [make_user(), make_user()]
    report = make_incident(*people, is_incident=False)

    task_id = mark_incident(report.pk)

    record = TaskRecord.objects.get(pk=task_id)
    assert (record.status, record.error) == (TaskStatus.FAILED, "NobodyAcknowledged")
    assert [message.to for message in mail.outbox] == [[person.email] for person in people]
    assert {inquiry.status for inquiry in report.inquiries.all()} == {"unanswered"}


def test_a_process_that_runs_none_itself_leaves_a_task_recorded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    remove_steps(monkeypatch)

    task_id = process_guard_report.enqueue(make_report().pk).id

    assert TaskRecord.objects.get(pk=task_id).status == TaskStatus.READY
    assert "1 tasks stay recorded" in caplog.text
