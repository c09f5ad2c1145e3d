from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from lambdas.list_digests.handler import lambda_handler
from tests.backend.people import make_property, make_report
from workflows.errors import DatabaseUnavailable, PayloadInvalid

pytestmark = pytest.mark.django_db


def test_the_clients_of_a_day_are_returned() -> None:
    yesterday = timezone.localtime() - timedelta(days=1)
    place = make_property()
    make_report(property=place, report_datetime=yesterday)
    digest = {"client_id": place.owner_id, "user_id": place.owner.user_id, "date": f"{yesterday:%Y-%m-%d}"}

    for payload in ({}, {"date": digest["date"]}):
        answer = lambda_handler({"task_id": "t-1", "payload": payload}, None)

        assert answer == {"date": digest["date"], "digests": [digest], "skipped": None}


def test_a_late_scheduled_run_returns_the_reason() -> None:
    answer = lambda_handler({"task_id": "daily_report_digest-20201124T120000Z", "payload": {}}, None)

    assert (answer["date"], answer["digests"]) == ("2020-11-23", [])
    assert "It was due at 2020-11-24 12:00:00 UTC" in answer["skipped"]


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        ({"date": "24.11.2026"}, "/payload/date String should match pattern"),
        ({"date": "2026-02-30"}, "2026-02-30 is not a date"),
        ({"day": "2026-02-20"}, "/payload/day Extra inputs are not permitted"),
    ],
)
def test_a_payload_without_a_day_is_an_error(payload: dict[str, str], problem: str) -> None:
    with pytest.raises(PayloadInvalid, match=problem):
        lambda_handler({"task_id": "t-1", "payload": payload}, None)


def test_an_outage_of_the_database_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr("digests.services.list_digests", refuse)
    monkeypatch.setattr("django.db.connections.close_all", lambda: None)  # the test's own transaction lives on

    with pytest.raises(DatabaseUnavailable):
        lambda_handler({"task_id": "t-1", "payload": {}}, None)
