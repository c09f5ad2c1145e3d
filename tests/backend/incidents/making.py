"""Incidents and inquiries for the tests, and a fake of Step Functions."""

from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError
from django.contrib.auth.models import User
from django.utils import timezone

from reports.models import GuardReport, IncidentInquiry
from tests.backend.people import make_property, make_reader, make_report


def make_incident(*supervisors: User, **fields: Any) -> GuardReport:
    given: dict[str, Any] = {"property": make_property(*supervisors), "is_incident": True}
    return make_report(**given | fields)


def make_inquiry(report: GuardReport | None = None, user: User | None = None, **fields: Any) -> IncidentInquiry:
    """An inquiry with a task token of Step Functions."""
    report, now = report or make_incident(), timezone.now()
    times = {"asked_at": now, "sign_by": now + timedelta(minutes=5), "answer_by": now + timedelta(minutes=15)}
    known = {"task_id": f"t-{report.pk}", "turn": report.inquiries.count() + 1, "task_token": f"token-{report.pk}"}
    return IncidentInquiry.objects.create(report=report, user=make_reader(report, user), **known | times | fields)


class FakeStepFunctions:
    """A boto3 client that records requests, and raises the error named ``error``."""

    def __init__(self) -> None:
        self.error = ""
        self.sent: list[tuple[str, dict[str, str]]] = []

    def send_task_success(self, **given: str) -> None:
        self._take("SendTaskSuccess", given)

    def send_task_heartbeat(self, **given: str) -> None:
        self._take("SendTaskHeartbeat", given)

    def _take(self, operation: str, given: dict[str, str]) -> None:
        if self.error:
            raise ClientError({"Error": {"Code": self.error, "Message": ""}}, operation)
        self.sent.append((operation, given))
