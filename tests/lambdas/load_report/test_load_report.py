from typing import Any

import pytest
from django.db import OperationalError

from lambdas.load_report.handler import lambda_handler
from tests.backend.people import make_file, make_property, make_report
from workflows.errors import DatabaseUnavailable, PayloadInvalid, ReportNotFound

pytestmark = pytest.mark.django_db


def test_a_report_has_its_files_and_recipients() -> None:
    place = make_property()
    report = make_report(property=place)
    file = make_file(report, "gate.pdf")

    answer = lambda_handler({"task_id": "t-1", "report_id": report.pk}, None)

    assert answer == {
        "report_id": report.pk,
        "files": [{"file_id": file.pk, "key": "media/guard_reports/2026/11/24/gate.pdf", "name": "gate.pdf"}],
        "recipients": [{"user_id": place.owner.user_id, "role": "client"}],
    }


def test_a_missing_report_is_an_error() -> None:
    with pytest.raises(ReportNotFound):
        lambda_handler({"task_id": "t-1", "report_id": 10**9}, None)


def test_an_invalid_event_is_an_error() -> None:
    with pytest.raises(PayloadInvalid, match="report_id"):
        lambda_handler({"task_id": "t-1"}, None)


def test_an_outage_of_the_database_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_report_id: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr("reports.services.load_report", refuse)
    monkeypatch.setattr("django.db.connections.close_all", lambda: None)  # the test's own transaction lives on

    with pytest.raises(DatabaseUnavailable):
        lambda_handler({"task_id": "t-1", "report_id": 1}, None)
