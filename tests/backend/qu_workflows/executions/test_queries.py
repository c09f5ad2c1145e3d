"""The advice about a second run, and that it is true."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from common.apps import REPEATED_EFFECTS
from lambdas.render_email.handler import render
from lambdas.shared.storage.objects import DiskObjects
from qu_workflows.executions.queries import advise
from qu_workflows.executions.step_functions import Description
from qu_workflows.records.models import TaskRecord, TaskStatus
from tests.backend.people import make_property, make_report
from tests.backend.qu_workflows.executions.test_redriving import failed
from workflows.contracts.notification_email import RenderEmailInput
from workflows.project import PROJECT

pytestmark = pytest.mark.django_db


def advice(record: TaskRecord, description: Description | None = None) -> str:
    return "\n".join(advise(record, [record], description, None, timezone.now()))


def test_of_every_workflow_it_is_said_what_a_second_run_repeats() -> None:
    assert REPEATED_EFFECTS.keys() == set(PROJECT.workflows), (
        "Write what a second run of the new workflow repeats into REPEATED_EFFECTS of backend/common/apps.py."
    )


def test_a_report_mail_is_sent_once_and_a_notification_per_attempt(tmp_path: Path) -> None:
    place = make_property()
    recipient = {"user_id": place.owner.user.pk, "role": "client"}
    report: dict[str, Any] = {
        "report_id": make_report(property=place, report_datetime=datetime(2026, 3, 2, 17, tzinfo=UTC)).pk,
        "recipient": recipient,
    }
    digest: dict[str, Any] = {
        "digest": {"client_id": place.owner.pk, "user_id": place.owner.user.pk, "date": "2026-03-02"}
    }
    welcome = {"user_id": place.owner.user.pk, "subject": "Welcome", "template_name": "emails/welcome.html"}
    notification: dict[str, Any] = {"payload": {**welcome, "context": {}}}

    def keys(event: dict[str, Any]) -> int:
        attempts = [RenderEmailInput.model_validate({"task_id": name} | event) for name in ("t", "t-attempt-2")]
        return len({render(attempt, DiskObjects(tmp_path)).send_once_key for attempt in attempts})

    assert [keys(report), keys(digest), keys(notification)] == [1, 1, 2]
    assert "not sent again either way" in REPEATED_EFFECTS["guard_report"]
    assert "not sent it again either way" in REPEATED_EFFECTS["daily_report_digest"]
    assert REPEATED_EFFECTS["notification_email"].endswith("a restart does.")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (TaskStatus.READY, "manage.py resend_tasks"),
        (TaskStatus.SENT, "manage.py dlq list"),
        (TaskStatus.RUNNING, "manage.py executions stop one --reason"),
        (TaskStatus.SUCCEEDED, "manage.py executions restart one --even-succeeded"),
    ],
)
def test_each_status_that_cannot_be_redriven_has_its_own_remedy(status: str, said: str) -> None:
    assert said in advice(failed(pk="one", status=status))


def test_what_aws_does_not_redrive_is_not_advised_to_be() -> None:
    record = failed(pk="one", payload={"report_id": 7})
    now = timezone.now()
    description = Description(
        arn=record.execution_arn,
        status="FAILED",
        started_at=now,
        stopped_at=now,
        redrive_count=0,
        redriven_at=None,
        redrive_status="NOT_REDRIVABLE",
        redrive_status_reason="Execution history event limit exceeded.",
        version_arn="arn:aws:states:us-east-2:123456789012:stateMachine:m:3",
        error="ReportNotFound",
        cause="",
    )

    assert "redrive: not possible, AWS does not redrive it: Execution history event limit exceeded." in advice(
        record, description
    )
    assert "restart: starts one-attempt-2 from the first state, by the current definition." in advice(
        record, description
    )
    assert description.version == "3"
