import re
from typing import Any

import pytest
from django.contrib.admin.sites import site
from django.test import Client as Browser
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from core.authentication import find_api_key
from core.models import ApiKey, Client, Guard
from qu_workflows.records.models import TaskRecord
from reports.models import GuardReport
from tests.backend.people import make_file, make_guard, make_picture, make_property, make_report, make_shift, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Browser:
    browser = Browser()
    browser.force_login(make_user("admin", is_staff=True, is_superuser=True))
    return browser


def list_of(model: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def page_of(row: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


@pytest.fixture
def everything() -> GuardReport:
    guard = make_guard()
    report = make_report(guard, property=make_shift(guard, make_property(make_user())).property)
    make_picture(report)
    make_file(report, "notes.txt")
    ApiKey.objects.create(name="App", prefix="12345678", key_hash="x")
    TaskRecord.objects.create(task="t", workflow="run_task", enqueued_at=report.created_at)
    return report


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("model", site._registry, ids=lambda model: model.__name__)
@pytest.mark.usefixtures("everything")
def test_every_list_and_page_opens_in_both_languages(browser: Browser, model: Any, language: str) -> None:
    browser.cookies["django_language"] = language

    listed = browser.get(list_of(model), {"q": "1"})
    row = model.objects.first()
    pages = [browser.get(list_of(model)), listed] + ([browser.get(page_of(row))] if row else [])

    assert {page.status_code for page in pages} == {200}
    assert all(f'<html lang="{language}"' in page.content.decode() for page in pages)


@pytest.mark.parametrize("path", ["core_guard", "core_client", "core_property", "core_shift", "reports_guardreport"])
def test_a_list_takes_the_same_queries_whatever_its_length(
    browser: Browser, path: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _row in range(8):
        guard = make_guard()
        report = make_report(guard, property=make_shift(guard).property)
        make_picture(report)

    with django_assert_max_num_queries(10):
        assert browser.get(reverse(f"admin:{path}_changelist")).status_code == 200


def test_a_new_key_is_shown_once(browser: Browser) -> None:
    guard = make_guard()
    add = reverse("admin:core_apikey_add")

    refused = browser.post(add, {"name": "Mobile app"})
    response = browser.post(add, {"name": "Mobile app", "guard": guard.pk}, follow=True)

    (text,) = re.findall(r"<code>([^<]+)</code>", response.content.decode())
    key = find_api_key(text)
    assert key is not None
    assert (key.name, key.guard) == ("Mobile app", guard)
    assert "This field is required" in refused.content.decode()
    assert ApiKey.objects.count() == 1
    assert text not in browser.get(page_of(key)).content.decode()


def test_a_key_can_be_renamed_and_stays_the_same(browser: Browser) -> None:
    guard, other = make_guard(), make_guard()
    browser.post(reverse("admin:core_apikey_add"), {"name": "Mobile app", "guard": guard.pk})
    key = ApiKey.objects.get()

    browser.post(page_of(key), {"name": "Old app", "guard": other.pk, "is_active": ""})

    changed = ApiKey.objects.get()
    assert (changed.name, changed.is_active, changed.key_hash) == ("Old app", False, key.key_hash)
    assert changed.guard == guard


@pytest.mark.parametrize("path", ["core_guard", "core_client"])
def test_a_person_never_has_the_account_of_staff(browser: Browser, path: str) -> None:
    administrator, user, other = make_user(is_superuser=True), make_user(), make_user()
    add = reverse(f"admin:{path}_add")

    refused = browser.post(add, {"user": administrator.pk, "is_active": "on"})
    browser.post(add, {"user": user.pk, "is_active": "on"})
    model = Guard if path == "core_guard" else Client
    person = model.objects.get()
    browser.post(page_of(person), {"user": other.pk, "phone": "5", "is_active": "on"})

    assert "This account belongs to staff." in refused.content.decode()
    changed = model.objects.get()
    assert (changed.user, changed.phone) == (user, "5")


@pytest.mark.parametrize("path", ["core_guard", "reports_guardreport"])
def test_rows_are_taken_out_of_use_and_never_deleted(browser: Browser, path: str) -> None:
    row = make_report() if path == "reports_guardreport" else make_guard()
    other = make_report() if path == "reports_guardreport" else make_guard()

    browser.post(reverse(f"admin:{path}_changelist"), {"action": "deactivate", "_selected_action": [row.pk]})

    row.refresh_from_db(), other.refresh_from_db()
    assert (row.is_active, other.is_active) == (False, True)
    assert browser.post(reverse(f"admin:{path}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403


def test_reports_are_processed_again_by_an_action(browser: Browser) -> None:
    reports = [make_report(), make_report()]
    chosen = {"action": "process_again", "_selected_action": [report.pk for report in reports]}

    page = browser.post(list_of(GuardReport), chosen, follow=True).content.decode()

    assert "2 reports were enqueued." in page
    assert set(TaskRecord.objects.values_list("subject_id", flat=True)) == {report.pk for report in reports}


def test_a_report_shows_its_files_by_signed_urls(browser: Browser) -> None:
    report = make_report()
    make_picture(report, "gate<1>.jpg")

    page = browser.get(page_of(report)).content.decode()

    assert "gate&lt;1&gt;.jpg" in page
    assert re.search(r'<img src="/files/[^"]+/small.webp" width="160"', page)
    assert "image/jpeg" in page


def test_the_language_is_chosen_on_every_page(browser: Browser) -> None:
    page = browser.get(list_of(Guard)).content.decode()
    assert 'name="language" value="es"' in page

    browser.post(reverse("set_language"), {"language": "es", "next": "/admin/"})

    assert "Reportes de guardia" in browser.get("/admin/").content.decode()
