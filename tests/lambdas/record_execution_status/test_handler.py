import json
from typing import Any

import pytest
from django.utils import timezone

from lambdas.record_execution_status.handler import lambda_handler
from lambdas.shared.runtime.powertools import metrics
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks.status import ForeignExecution
from workflows.errors import PayloadInvalid

pytestmark = pytest.mark.django_db

TASK_ID = "019aa0e0-0000-7000-8000-000000000003"


def event(status: str = "FAILED", machine: str = "qu-dev-guard_report", **changes: Any) -> dict[str, Any]:
    """Return an event as EventBridge delivers it."""
    return {
        "version": "0",
        "id": "315c1398-40ff-a850-213b-158f73e60175",
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": "123456789012",
        "time": "2026-11-24T03:46:00Z",
        "region": "us-east-2",
        "resources": [f"arn:aws:states:us-east-2:123456789012:execution:{machine}:{TASK_ID}"],
        "detail": {
            "executionArn": f"arn:aws:states:us-east-2:123456789012:execution:{machine}:{TASK_ID}",
            "stateMachineArn": f"arn:aws:states:us-east-2:123456789012:stateMachine:{machine}",
            "name": TASK_ID,
            "status": status,
            "startDate": 1_790_000_000_000,
            "stopDate": None if status == "RUNNING" else 1_790_000_001_000,
            "input": '{"report_id": 7}',
            "inputDetails": {"included": True},
            "output": None,
            "outputDetails": None,
            "error": "ReportNotFound" if status == "FAILED" else None,
            "cause": "Report 7 is not there." if status == "FAILED" else None,
            "redriveCount": 0,
            "redriveDate": None,
            "redriveStatus": "REDRIVABLE",
        },
    } | changes


def test_the_end_of_an_execution_is_recorded() -> None:
    TaskRecord.objects.create(id=TASK_ID, task="process_guard_report", status="SENT", enqueued_at=timezone.now())

    answer = lambda_handler(event(), None)

    assert answer == {"task_id": TASK_ID, "status": "FAILED"}
    record = TaskRecord.objects.get(pk=TASK_ID)
    assert (record.status, record.error, record.cause) == (
        TaskStatus.FAILED,
        "ReportNotFound",
        "Report 7 is not there.",
    )


def test_a_late_event_changes_nothing() -> None:
    lambda_handler(event("SUCCEEDED"), None)

    assert lambda_handler(event("RUNNING"), None) == {"task_id": TASK_ID, "status": "SUCCEEDED"}


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"detail-type": "Scheduled Event"}, "is 'Scheduled Event'"),
        ({"detail": {}}, "/detail: is not a status change"),
        ({"detail": event("PENDING_REDRIVE")["detail"]}, "/status"),
        ({"detail": None}, "/detail-type"),
    ],
)
def test_another_event_is_refused(broken: dict[str, Any], said: str) -> None:
    with pytest.raises(PayloadInvalid, match=said):
        lambda_handler(event() | broken, None)

    assert not TaskRecord.objects.exists()


def test_a_foreign_state_machine_is_refused() -> None:
    with pytest.raises(ForeignExecution):
        lambda_handler(event(machine="billing"), None)


@pytest.mark.parametrize(
    ("status", "counted"),
    [
        ("RUNNING", {}),
        ("SUCCEEDED", {"ExecutionsEnded": 1, "ExecutionsNotSucceeded": 0}),
        ("FAILED", {"ExecutionsEnded": 1, "ExecutionsNotSucceeded": 1}),
        ("TIMED_OUT", {"ExecutionsEnded": 1, "ExecutionsNotSucceeded": 1}),
        ("ABORTED", {"ExecutionsEnded": 1, "ExecutionsNotSucceeded": 1}),
    ],
)
def test_ended_executions_of_all_machines_are_counted(
    status: str, counted: dict[str, int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    metrics.clear_metrics()

    lambda_handler(event(status), None)

    written = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    found = {name: sum(value) for one in written for name, value in one.items() if name.startswith("Executions")}
    assert found == counted
    assert not metrics.metric_set
