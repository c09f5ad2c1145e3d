"""The back office changes a report while its workflow records the files."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db.models.signals import pre_save
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from reports.models import GuardReport
from tests.backend.people import make_report, make_user

pytestmark = pytest.mark.django_db
type Change = Callable[[GuardReport, str], int]


def by_the_api(report: GuardReport, note: str) -> int:
    client = APIClient()
    client.force_authenticate(make_user(is_staff=True, is_superuser=True))
    return client.patch(f"/api/guard-reports/{report.pk}/", {"note": note}, format="json").status_code


def by_the_admin(report: GuardReport, note: str) -> int:
    browser = Browser()
    browser.force_login(make_user(is_staff=True, is_superuser=True))
    moment = timezone.localtime(report.report_datetime)
    form = {
        "guard": report.guard_id,
        "note": note,
        "report_datetime_0": f"{moment:%Y-%m-%d}",
        "report_datetime_1": f"{moment:%H:%M:%S}",
        "is_active": "on",
        "files-TOTAL_FORMS": 0,
        "files-INITIAL_FORMS": 0,
        "inquiries-TOTAL_FORMS": 0,
        "inquiries-INITIAL_FORMS": 0,
    }
    return browser.post(reverse("admin:reports_guardreport_change", args=[report.pk]), form).status_code


@pytest.fixture
def workflow() -> Iterator[None]:
    """A workflow that ends between reading and saving a report."""

    def record(instance: GuardReport, **_: Any) -> None:
        GuardReport.objects.filter(pk=instance.pk).update(processed_at=timezone.now())

    pre_save.connect(record, GuardReport)
    yield
    pre_save.disconnect(record, GuardReport)


@pytest.mark.parametrize(("change", "status"), [(by_the_api, 200), (by_the_admin, 302)])
def test_a_changed_note_leaves_what_the_workflow_recorded(
    change: Change, status: int, request: pytest.FixtureRequest
) -> None:
    report = make_report()
    request.getfixturevalue("workflow")

    assert change(report, "Gate repaired.") == status

    before, report = report, GuardReport.objects.get(pk=report.pk)
    assert report.note == "Gate repaired."
    assert report.processed_at is not None
    assert report.updated_at > before.updated_at
