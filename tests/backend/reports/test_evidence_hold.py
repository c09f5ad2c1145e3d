from html import unescape
from queue import Queue
from threading import Thread
from time import sleep
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection, connections, transaction
from django.test import Client as Browser
from django.urls import reverse

from reports.models import GuardReport
from tests.backend.people import make_report, make_user

pytestmark = pytest.mark.django_db

REASON = "Case 2026-114"


def browser_with(*permissions: str) -> Browser:
    user = make_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    browser = Browser()
    browser.force_login(user)
    return browser


def page_of(report: GuardReport) -> str:
    return reverse("admin:reports_guardreport_change", args=[report.pk])


def saved(report: GuardReport, browser: Browser, **given: Any) -> bytes:
    """Send the form, and return the page that comes back: empty when it was saved."""
    moment = report.report_datetime
    form = {
        "guard": report.guard_id,
        "note": report.note,
        "report_datetime_0": f"{moment:%Y-%m-%d}",
        "report_datetime_1": f"{moment:%H:%M:%S}",
        "is_active": "on",
        "files-TOTAL_FORMS": 0,
        "files-INITIAL_FORMS": 0,
    }
    response = browser.post(page_of(report), form | given)
    assert response.status_code in (200, 302)
    return response.content


def test_staff_that_may_change_reports_holds_one_with_a_reason() -> None:
    report = make_report()

    assert saved(report, browser_with("change_guardreport"), evidence_hold="on", evidence_hold_reason=REASON) == b""

    report.refresh_from_db()
    assert (report.evidence_hold, report.evidence_hold_reason) == (True, REASON)


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_hold_without_a_reason_is_refused_with_a_sentence(reason: str) -> None:
    report = make_report()

    page = saved(report, browser_with("change_guardreport"), evidence_hold="on", evidence_hold_reason=reason)

    assert b"Enter why the report is held" in page
    report.refresh_from_db()
    assert not report.evidence_hold


def test_a_hold_is_lifted_and_its_reason_stays_to_be_read() -> None:
    report = make_report(evidence_hold=True, evidence_hold_reason=REASON)

    assert saved(report, browser_with("change_guardreport"), evidence_hold_reason=REASON) == b""

    report.refresh_from_db()
    assert (report.evidence_hold, report.evidence_hold_reason) == (False, REASON)


def test_who_may_only_look_can_not_hold() -> None:
    report = make_report()
    browser = browser_with("view_guardreport")

    response = browser.post(page_of(report), {"evidence_hold": "on", "evidence_hold_reason": REASON})

    assert response.status_code == 403
    assert b"<input" not in browser.get(page_of(report)).content.split(b"evidence_hold", 1)[1].split(b"</div>", 1)[0]


def test_held_reports_can_be_listed_alone() -> None:
    held, other = make_report(evidence_hold=True), make_report()
    listing = reverse("admin:reports_guardreport_changelist")

    page = browser_with("view_guardreport").get(listing, {"evidence_hold__exact": "1"}).content.decode()

    assert page_of(held) in page
    assert page_of(other) not in page


@pytest.mark.django_db(transaction=True)
def test_a_hold_during_the_removal_is_refused() -> None:
    report = make_report()
    browser, answers = browser_with("change_guardreport"), Queue[Any]()
    given = {"evidence_hold": "on", "evidence_hold_reason": REASON, "files-TOTAL_FORMS": 0, "files-INITIAL_FORMS": 0}
    moment = report.report_datetime
    given |= {"report_datetime_0": f"{moment:%Y-%m-%d}", "report_datetime_1": f"{moment:%H:%M:%S}"}

    def hold() -> None:
        try:
            answers.put(browser.post(page_of(report), {"guard": report.guard_id, **given}, follow=True))
        finally:
            connections.close_all()

    thread = Thread(target=hold)
    with transaction.atomic():
        GuardReport.objects.filter(pk=report.pk).delete()
        thread.start()
        wait_until_a_lock_is_awaited()
    thread.join()

    answer = answers.get_nowait()
    assert answer.status_code == 200
    assert "Perhaps it was deleted?" in unescape(answer.content.decode())


def wait_until_a_lock_is_awaited() -> None:
    asked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    for _ in range(1000):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(asked)
            if cursor.fetchone() != (0,):
                return
        sleep(0.01)
    raise AssertionError("No transaction waits for a lock.")


@pytest.mark.parametrize("wrong", ["x", "9" * 30])
def test_an_unknown_report_is_reported_as_missing(wrong: str) -> None:
    page = reverse("admin:reports_guardreport_change", args=[wrong])

    answer = browser_with("change_guardreport").post(page, {}, follow=True)

    assert (answer.status_code, answer.redirect_chain[0][0]) == (200, reverse("admin:index"))
