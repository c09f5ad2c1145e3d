import hashlib
import inspect
import json
import logging
import pickle
from typing import Any

import pytest
from django.tasks import TaskResult, TaskResultStatus

from common import tasks
from qu_workflows.protocol.message import PayloadDoesNotFit, read_message
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks.services import RunsAsWorkflow
from tests.backend.common.conftest import Bodies
from workflows.project import PROJECT

pytestmark = pytest.mark.django_db(transaction=True)


def test_calling_a_task_sends_the_decorated_form_that_the_dispatcher_reads(sent: Bodies) -> None:
    result: Any = tasks.send_notification_email(
        3, subject="Welcome!", template_name="emails/welcome.html", context={"name": "Guard 1"}
    )

    [body] = sent()
    assert body["task"] == "send_notification_email"
    assert body["payload"] == {
        "function_name": "send_notification_email",
        "module": "common.tasks",
        "args": [3],
        "kwargs": {"subject": "Welcome!", "template_name": "emails/welcome.html", "context": {"name": "Guard 1"}},
    }
    assert TaskRecord.objects.get(pk=result.id).payload == body["payload"]
    start = read_message(json.dumps(body), "message-id")
    assert (start.name, start.workflow) == (result.id, "notification_email")
    stored = tasks.send_notification_email.get_result(result.id)
    assert (stored.args, stored.kwargs["subject"]) == ([3], "Welcome!")


def test_enqueueing_a_task_sends_its_arguments_by_name(sent: Bodies) -> None:
    result = tasks.process_guard_report.enqueue(7)

    [body] = sent()
    assert (body["id"], body["payload"]) == (result.id, {"report_id": 7})
    assert TaskRecord.objects.get(pk=result.id).subject_id == 7


def test_a_called_report_task_is_found_by_its_report_too(sent: Bodies) -> None:
    tasks.process_guard_report(report_id=7)

    assert TaskRecord.objects.get().subject_id == 7
    assert len(sent()) == 1


@pytest.mark.usefixtures("sent")
def test_an_invalid_call_raises_an_exception() -> None:
    with pytest.raises(PayloadDoesNotFit, match="report_id"):
        tasks.process_guard_report(report_id="seven")  # type: ignore[arg-type]  # the mistake
    with pytest.raises(PayloadDoesNotFit, match="template_name"):
        tasks.send_notification_email(1, "Hello", "registration/password_reset.html")

    assert not TaskRecord.objects.exists()


def test_without_the_queue_a_call_returns_what_the_function_returns(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "common.tasks"):
        facts = tasks.custom_processing("example")

    assert facts == {"size_bytes": 7, "sha256": hashlib.sha256(b"example").hexdigest()}
    record = TaskRecord.objects.get()
    assert (record.status, record.result, record.ran_inline) == (TaskStatus.SUCCEEDED, facts, True)
    assert "custom processing of 7 bytes" in caplog.text


def test_without_the_queue_a_called_functions_exception_is_the_callers() -> None:
    with pytest.raises(ValueError, match="Give a text"):
        tasks.custom_processing("")

    assert TaskRecord.objects.get().status == TaskStatus.FAILED


def test_without_the_queue_a_called_workflow_runs_in_this_process() -> None:
    result = tasks.process_guard_report(report_id=7)

    assert isinstance(result, TaskResult)
    assert result.status == TaskResultStatus.FAILED
    assert result.errors[0].exception_class_path == "workflows.errors.ReportNotFound"


def test_the_functions_of_workflows_say_where_the_work_is_done() -> None:
    with pytest.raises(RunsAsWorkflow, match="guard_report"):
        tasks.process_guard_report.func(7)
    with pytest.raises(RunsAsWorkflow, match="notification_email"):
        tasks.send_notification_email.func(7, "s", "t")


def test_the_functions_of_workflows_require_what_their_contracts_require() -> None:
    with_function = [entry for entry in PROJECT.workflow_tasks if hasattr(tasks, entry.task)]
    assert len(with_function) >= 4  # the others are enqueued by name alone
    for entry in with_function:
        parameters = inspect.signature(getattr(tasks, entry.task).func).parameters.values()
        assert {p.name: p.default is p.empty for p in parameters} == entry.required_by_name


def test_a_task_with_other_defaults_is_still_the_task(sent: Bodies) -> None:
    later = tasks.custom_processing.using(message_group_id="client-7")

    assert (later.task_name, later.delay_seconds) == ("custom_processing", 0)
    assert pickle.loads(pickle.dumps(tasks.custom_processing)) == tasks.custom_processing  # noqa: S301  our own bytes
    later("example")
    assert len(sent()) == 1


def test_every_task_here_is_in_the_catalog() -> None:
    assert {"custom_processing", *(entry.task for entry in PROJECT.workflow_tasks)} <= PROJECT.catalog.keys()
