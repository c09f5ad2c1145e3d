"""A report's tasks, in the admin and in the API."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from api.serializers import GuardReportSerializer
from qu_workflows.records.models import TaskRecord, TaskStatus
from reports.models import GuardReport
from tests.backend.people import make_report, make_user

pytestmark = pytest.mark.django_db


def make_task(report: GuardReport, minutes_ago: int = 0, workflow: str = "guard_report", **fields: Any) -> TaskRecord:
    given = {"task": "process_guard_report", "enqueued_at": timezone.now() - timedelta(minutes=minutes_ago)}
    return TaskRecord.objects.create(workflow=workflow, subject_id=report.pk, **given | fields)


def staff(*codenames: str) -> User:
    user = make_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_guardreport", *codenames]))
    return user


def processing_in_api(report: GuardReport, user: User) -> Any:
    client = APIClient()
    client.force_authenticate(user)
    return client.get(f"/api/guard-reports/{report.pk}/").json()["processing"]


def admin_page(report: GuardReport, user: User) -> str:
    browser = Browser()
    browser.force_login(user)
    return browser.get(reverse("admin:reports_guardreport_change", args=[report.pk])).content.decode()


def test_the_api_has_the_newest_processing_with_its_url() -> None:
    report = make_report()
    make_task(report, minutes_ago=9, status=TaskStatus.FAILED)
    newest = make_task(report, minutes_ago=5, status=TaskStatus.RUNNING)
    make_task(report, workflow="incident_escalation", status=TaskStatus.SUCCEEDED)
    make_task(make_report(), status=TaskStatus.SUCCEEDED)

    assert processing_in_api(report, staff("view_console")) == {
        "task_id": newest.pk,
        "status": "RUNNING",
        "console_url": f"http://testserver/console/tasks/{newest.pk}/",
    }


def test_the_api_gives_no_address_to_who_may_not_see_the_console() -> None:
    report = make_report()
    task = make_task(report)

    assert processing_in_api(report, staff()) == {"task_id": task.pk, "status": "READY", "console_url": None}


def test_the_api_says_when_there_is_no_record() -> None:
    assert processing_in_api(make_report(), staff("view_console")) is None


def test_the_guard_does_not_see_the_processing() -> None:
    assert "processing" not in GuardReportSerializer().fields


@pytest.mark.parametrize("number", [1, 4])
def test_the_number_of_queries_does_not_depend_on_the_reports(
    number: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _number in range(number):
        make_task(make_report())
    client = APIClient()
    client.force_authenticate(make_user("staff", is_staff=True, is_superuser=True))

    with django_assert_num_queries(
        5
    ):  # count, reports, files, inquiries, shifts; thumbnails and people only where there are
        response = client.get("/api/guard-reports/").json()

    assert [report["processing"]["status"] for report in response["results"]] == ["READY"] * number


def test_a_change_by_the_api_has_the_processing() -> None:
    task = make_task(report := make_report())
    client = APIClient()
    client.force_authenticate(make_user("staff", is_staff=True, is_superuser=True))

    response = client.patch(f"/api/guard-reports/{report.pk}/", {"note": "Changed."}).json()

    assert response["processing"]["task_id"] == task.pk


def test_the_admin_links_each_task_about_a_report() -> None:
    report = make_report()
    tasks = [make_task(report, status=TaskStatus.FAILED), make_task(report, 3, "incident_escalation", task="escalate")]

    page = admin_page(report, staff("view_console"))

    assert all(f'href="/console/tasks/{task.pk}/"' in page for task in tasks)
    assert page.index(tasks[0].pk) < page.index(tasks[1].pk)
    assert "Failed" in page


def test_without_access_to_the_console_tasks_have_no_links() -> None:
    make_task(report := make_report(), task="process_<b>")

    page = admin_page(report, staff())

    assert "process_&lt;b&gt;" in page
    assert "/console/" not in page


def test_the_admin_says_when_no_task_is_recorded() -> None:
    assert "No tasks are recorded." in admin_page(make_report(), staff())


def test_the_admin_leads_to_the_console() -> None:
    assert 'href="/console/"' in admin_page(make_report(), staff("view_console"))
