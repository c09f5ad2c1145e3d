"""User stories in a browser, from the first page to the end."""

import re
import threading
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from qu_workflows.console.access import Right
from qu_workflows.records.models import AuditAction, AuditEntry, AuditOutcome, TaskRecord, TaskStatus
from tests.backend.people import make_guard, make_property, make_report, make_user
from tests.backend.qu_workflows.console.browser.reading import Browsing, make_operator, sign_in
from tests.backend.qu_workflows.console.running import DatabaseUnavailable, Workflows, raising
from tests.backend.qu_workflows.console.scenes import MARKUP, process
from tests.backend.qu_workflows.dead_letter_queues import UNKNOWN, DeadLetterQueue, good

SENTENCE = "PostgreSQL is not reached: connection refused. A redrive is safe."
MOST_TABS = 150


@pytest.fixture
def failed(workflows: Workflows) -> TaskRecord:
    """The task of a report whose step "Record Report" failed at each of its tries."""
    workflows.functions.faults["record_report"] = raising(DatabaseUnavailable(SENTENCE))
    record = workflows.ended(process(workflows, make_report()))
    del workflows.functions.faults["record_report"]
    assert record.status == TaskStatus.FAILED
    return record


@pytest.fixture
def operator(browser: Browser, live_server: LiveServer) -> Browsing:
    return sign_in(browser, live_server.url, make_operator())


@pytest.mark.usefixtures("dead_letters")
def test_a_failed_report_is_found_redriven_and_watched(
    failed: TaskRecord, workflows: Workflows, operator: Browsing
) -> None:
    page = operator.open("/console/")
    expect(page.locator("#now")).to_contain_text("1 failed execution of guard_report can be redriven")
    page.get_by_role("link", name="See and redrive").click()
    page.locator(f"main a[href*='{failed.pk}']").first.click()

    expect(page.locator("#state h2")).to_contain_text("Record Report")
    expect(page.locator("#state")).to_contain_text(SENTENCE)
    expect(page.locator("#head .status")).to_contain_text("Failed")

    goes_on = _held_back(workflows, "record_report")
    page.get_by_role("button", name="Redrive").click()
    expect(page.locator("main")).to_contain_text("Redriven: it continues from where it failed.")
    expect(page.locator("#head .status").first).to_contain_text("Running")
    page.evaluate("window.isTheSamePage = true")
    goes_on.set()

    expect(page.locator("#head .status").first).to_contain_text("Succeeded")
    expect(page.locator("#live")).not_to_have_attribute("data-live", re.compile(".*"))
    assert page.evaluate("window.isTheSamePage")
    assert operator.errors == []
    assert _done(AuditAction.REDRIVE_EXECUTION) == [failed.pk]
    operator.open("/console/")
    expect(page.locator("#now")).not_to_contain_text("can be redriven")


@pytest.mark.usefixtures("workflows")
def test_a_dead_letter_is_seen_understood_and_redriven_until_it_is_gone(
    dead_letters: DeadLetterQueue, operator: Browsing
) -> None:
    fine, _unknown = dead_letters.put(good("report-of-the-night"), UNKNOWN)
    page = operator.open("/console/")
    page.locator("main a[href*='/dead-letters/']").first.click()
    expect(page.locator("main table")).to_contain_text("os.system")

    operator.open("/console/dead-letters/")
    page.locator(f"main a[href*='{fine}']").click()
    expect(page.locator("main")).to_contain_text("report-of-the-night")
    page.get_by_role("button", name="Redrive").click()
    page.get_by_role("button", name="Redrive 1 message").click()

    operator.open("/console/dead-letters/")
    expect(page.locator(f"main a[href*='{fine}']")).to_have_count(0)
    assert dead_letters.moved_ids() == ["report-of-the-night"]
    assert len(_done(AuditAction.REDRIVE_DEAD_LETTERS)) == 1
    assert operator.errors == []


def test_a_report_is_found_and_redriven_with_the_keyboard_alone(
    failed: TaskRecord, workflows: Workflows, operator: Browsing
) -> None:
    page = operator.open("/console/tasks/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"

    _tab_to(page, "#find")
    page.keyboard.type(str(failed.subject_id))
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/tasks/?q=*")
    _tab_to(page, f"main a[href*='{failed.pk}']")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{failed.pk}/**")

    _tab_to(page, ".graph a[href*='Load']")
    page.keyboard.press("Enter")
    page.wait_for_url("**state=Load*")
    expect(page.locator("#state h2")).to_contain_text("Load Report")
    _tab_to(page, "form[action$='/redrive/'] button")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("Redriven: it continues from where it failed.")

    assert workflows.ended(failed).redrive_count == 1
    assert operator.errors == []


def test_an_execution_is_understood_and_stopped_without_javascript(
    workflows: Workflows, browser: Browser, live_server: LiveServer
) -> None:
    running = workflows.started(workflows.start("escalate_incident", {"report_id": make_report(is_incident=True).pk}))
    browsing = sign_in(browser, live_server.url, make_operator(), scripts=False)
    page = browsing.open(f"/console/tasks/{running.pk}/")

    page.locator(".graph a[href*='Choose']").click()
    expect(page.locator("#state h2")).to_contain_text("Choose Person")
    page.get_by_role("link", name="Events").click()
    expect(page.locator("#view")).to_contain_text("ExecutionStarted")
    page.get_by_label("Reason").fill("The incident was a drill.")
    page.get_by_role("button", name="Stop").click()

    expect(page.locator("main")).to_contain_text("Stopped.")
    assert workflows.ended(running).status == TaskStatus.ABORTED
    assert _done(AuditAction.STOP_EXECUTION) == [running.pk]


def test_a_person_without_the_rights_sees_no_button_and_is_refused(
    failed: TaskRecord, workflows: Workflows, browser: Browser, live_server: LiveServer
) -> None:
    browsing = sign_in(browser, live_server.url, make_operator(Right.VIEW, name="viewer"))
    page = browsing.open(f"/console/tasks/{failed.pk}/")
    token = page.locator("input[name=csrfmiddlewaretoken]").first.input_value()

    assert page.locator("main form[method=post]").count() == 0
    answers = [
        page.request.post(
            f"{live_server.url}/console/tasks/{failed.pk}/{act}/",
            form={"csrfmiddlewaretoken": token, "reason": "x"},
            headers={"Referer": page.url},
        )
        for act in ("redrive", "restart", "stop")
    ]

    assert [answer.status for answer in answers] == [403, 403, 403]
    assert "Your account lacks" in answers[0].text()
    assert workflows.ended(failed).redrive_count == 0
    assert AuditEntry.objects.count() == 0


def test_markup_in_notes_names_errors_and_payloads_is_shown_as_text(
    workflows: Workflows, dead_letters: DeadLetterQueue, operator: Browsing
) -> None:
    guard = make_guard(user=make_user("guard", first_name=MARKUP[:60]))
    report = make_report(guard, note=MARKUP, property=make_property(name=MARKUP[:60]))
    workflows.functions.reports[report.pk] = {"files": [f"{MARKUP}.jpg"], "people": 1}
    workflows.functions.faults["record_report"] = raising(DatabaseUnavailable(MARKUP))
    record = workflows.ended(process(workflows, report, payload={"report_id": report.pk, "note": MARKUP}))
    [letter] = dead_letters.put(good("dead-letter-1", payload={"data": MARKUP}, task=MARKUP))
    inspected = f"?state={quote('Inspect File')}"

    for path in (f"tasks/{record.pk}/", f"tasks/{record.pk}/{inspected}", f"dead-letters/{letter}/"):
        page = operator.open(f"/console/{path}")
        assert "<img src=x" in operator.text(), path
        _is_unharmed(page, path)
    for path in ("", "tasks/", "dead-letters/", f"tasks/{record.pk}/?view=events", f"tasks/{record.pk}/?view=input"):
        _is_unharmed(operator.open(f"/console/{path}"), path)

    assert operator.errors == []


def _held_back(workflows: Workflows, function: str) -> threading.Event:
    """Let a function wait until the event is set."""
    event = threading.Event()

    def wait(_event: Any) -> None:
        event.wait(20)

    workflows.functions.faults[function] = wait
    return event


def _done(action: AuditAction) -> list[str]:
    found = AuditEntry.objects.filter(action=action, outcome=AuditOutcome.DONE, actor__startswith="operator")
    return list(found.values_list("target", flat=True))


def _tab_to(page: Page, selector: str) -> None:
    """Press Tab until an element has the focus, and check that it is visible."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", selector):
            break
    else:
        raise AssertionError(f"{selector} was not reached by {MOST_TABS} tabs.")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    inside = page.evaluate("document.activeElement.querySelector('rect') !== null")
    assert outline != "none" or inside, f"{selector} has an invisible focus."


def _is_unharmed(page: Page, path: str) -> None:
    assert page.locator("main img[onerror], main script").count() == 0, path
    assert page.title() != "1", path
