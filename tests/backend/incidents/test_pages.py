import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from incidents.services import acknowledge_for_staff
from reports.links import INCIDENT_LINK_DAYS, INCIDENT_PAGE_PATH, incident_url, report_url
from reports.models import IncidentInquiry
from tests.backend.clock import at
from tests.backend.incidents.making import FakeStepFunctions, make_incident, make_inquiry
from tests.backend.people import make_picture, make_user
from workflows.contracts.incident_escalation import Acknowledgement

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("step_functions")]
PAST = timezone.now() - timedelta(minutes=1)


def path_of(inquiry: IncidentInquiry) -> str:
    return incident_url(inquiry.pk).removeprefix("http://127.0.0.1:8000")


def look(inquiry: IncidentInquiry) -> Any:
    return Client().get(path_of(inquiry))


def press(inquiry: IncidentInquiry, answer: str = "acknowledge") -> Any:
    return Client().post(path_of(inquiry), {"answer": answer})


def test_a_link_ends_with_the_right_to_read(step_functions: FakeStepFunctions) -> None:
    inquiry = make_inquiry()
    assert look(inquiry).status_code == 200

    inquiry.user.supervisor_links.all().delete()

    assert look(inquiry).status_code == 404
    assert press(inquiry).status_code == 404
    assert step_functions.sent == []


def has_buttons(response: Any) -> bool:
    return "<button" in response.content.decode()


def test_opening_the_link_shows_what_is_asked_and_changes_nothing(step_functions: FakeStepFunctions) -> None:
    asked = make_user(first_name="Ana", last_name="Soto")
    report = make_incident(note="Door <b>forced</b>", latitude="40.7", longitude="-74.1")
    make_picture(report, "door.jpg")
    inquiry = make_inquiry(report, asked)
    before = IncidentInquiry.objects.filter(pk=inquiry.pk).values().get()

    for _ in range(3):
        response = look(inquiry)

    page = response.content.decode()
    assert response.status_code == 200
    for said in ("Property 1", "Door &lt;b&gt;forced&lt;/b&gt;", "door.jpg", "Show on a map", "Ana Soto", "Open the"):
        assert said in page
    assert page.count("<button") == 2
    assert step_functions.sent == []
    assert IncidentInquiry.objects.filter(pk=inquiry.pk).values().get() == before


@pytest.mark.usefixtures("noon")
def test_the_page_says_until_when_and_what_happens_then() -> None:
    page = look(make_inquiry()).content.decode()

    assert "acknowledge by <strong>12:15 EST</strong>" in page
    assert "by <strong>12:05 EST</strong>, the next supervisor is asked" in page


def test_one_press_acknowledges_and_ends_the_state_that_waits(step_functions: FakeStepFunctions) -> None:
    inquiry = make_inquiry()

    response = press(inquiry)

    inquiry.refresh_from_db()
    report = inquiry.report
    assert (response.status_code, response["Location"]) == (302, response.request["PATH_INFO"])
    assert (inquiry.status, report.acknowledged_by, report.acknowledged_at) == (
        "acknowledged",
        inquiry.user,
        inquiry.acknowledged_at,
    )
    [(operation, given)] = step_functions.sent
    assert (operation, given["taskToken"]) == ("SendTaskSuccess", inquiry.task_token)
    output = Acknowledgement.model_validate(json.loads(given["output"]))
    assert output == Acknowledgement(
        inquiry_id=inquiry.pk, user_id=inquiry.user_id, acknowledged_at=report.acknowledged_at
    )


def test_a_link_acknowledges_once_and_says_so_from_then_on(step_functions: FakeStepFunctions) -> None:
    inquiry = make_inquiry()
    press(inquiry)

    again, shown = press(inquiry), look(inquiry)

    assert (again.status_code, shown.status_code, len(step_functions.sent)) == (302, 200, 1)
    assert "You have acknowledged this at" in shown.content.decode()
    assert not has_buttons(shown)


def test_a_sign_of_life_moves_the_heartbeat_and_never_past_the_end(step_functions: FakeStepFunctions) -> None:
    now = timezone.now()
    early = make_inquiry(sign_by=now + timedelta(seconds=20))
    late = make_inquiry(answer_by=now + timedelta(seconds=100))

    assert [press(inquiry, "sign").status_code for inquiry in (early, late)] == [302, 302]

    early.refresh_from_db()
    late.refresh_from_db()
    assert timedelta(seconds=290) < early.sign_by - now < timedelta(seconds=330)
    assert late.sign_by == late.answer_by
    assert [operation for operation, _ in step_functions.sent] == ["SendTaskHeartbeat"] * 2
    page = look(early)
    assert "that you are looking into it" in page.content.decode()
    assert has_buttons(page)


@pytest.mark.parametrize("answer", ["acknowledge", "sign"])
def test_an_answer_after_the_timeout_is_refused(step_functions: FakeStepFunctions, answer: str) -> None:
    inquiry = make_inquiry()
    step_functions.error = "TaskTimedOut"

    response = press(inquiry, answer)

    inquiry.refresh_from_db()
    assert (response.status_code, has_buttons(response)) == (410, False)
    assert "Your time to answer is over" in response.content.decode()
    assert (inquiry.status, inquiry.seen_at, inquiry.report.acknowledged_at) == ("asked", None, None)


@pytest.mark.parametrize("answer", ["acknowledge", "sign"])
def test_without_step_functions_nothing_is_recorded_and_the_buttons_stay(
    step_functions: FakeStepFunctions, answer: str, caplog: pytest.LogCaptureFixture
) -> None:
    inquiry = make_inquiry()
    step_functions.error = "ThrottlingException"

    response = press(inquiry, answer)

    inquiry.refresh_from_db()
    assert (response.status_code, response["Retry-After"], has_buttons(response)) == (503, "10", True)
    assert "Please try again" in response.content.decode()
    assert (inquiry.status, inquiry.seen_at, inquiry.report.acknowledged_at) == ("asked", None, None)
    assert "could not be sent to Step Functions" in caplog.text
    step_functions.error = ""
    assert press(inquiry, answer).status_code == 302


def test_an_answer_before_the_token_is_recorded_for_the_state_to_find(step_functions: FakeStepFunctions) -> None:
    inquiry = make_inquiry(task_token="", sign_by=PAST, answer_by=PAST)  # the turn has not started

    assert has_buttons(look(inquiry))
    assert press(inquiry).status_code == 302

    inquiry.refresh_from_db()
    assert (inquiry.status, inquiry.report.acknowledged_by, step_functions.sent) == ("acknowledged", inquiry.user, [])


@pytest.mark.usefixtures("noon")
@pytest.mark.parametrize("status", ["unanswered", "unreachable"])
def test_an_old_link_says_who_is_asked_now(step_functions: FakeStepFunctions, status: str) -> None:
    report = make_incident()
    first = make_inquiry(report, status=status)
    make_inquiry(report, make_user(first_name="Ben", last_name="Ode"))

    for response in (look(first), press(first)):
        page = response.content.decode()
        assert (response.status_code, has_buttons(response)) == (410, False)
        assert "Ben Ode is asked now, until 12:05 EST." in page
    assert step_functions.sent == []


@pytest.mark.parametrize("times", [{"sign_by": PAST}, {"answer_by": PAST}])
def test_a_link_whose_time_has_passed_has_no_buttons(times: dict[str, Any]) -> None:
    response = look(make_inquiry(**times))

    assert (response.status_code, has_buttons(response)) == (410, False)
    assert "It is not acknowledged yet" in response.content.decode()


def test_an_old_link_says_who_has_acknowledged() -> None:
    report = make_incident()
    first, second = make_inquiry(report), make_inquiry(report, make_user(first_name="Ben", last_name="Ode"))
    press(second)

    response = look(first)

    assert (response.status_code, has_buttons(response)) == (410, False)
    assert "Ben Ode has acknowledged this at" in response.content.decode()


def test_an_acknowledgement_by_staff_ends_the_turn(step_functions: FakeStepFunctions) -> None:
    inquiry, staff = make_inquiry(), make_user("staff", first_name="Desk", last_name="One")

    assert acknowledge_for_staff(inquiry.report_id, staff)

    assert json.loads(step_functions.sent[0][1]["output"])["user_id"] == staff.pk
    response = press(inquiry)
    assert response.status_code == 302
    assert "Desk One has acknowledged this" in look(inquiry).content.decode()
    assert not acknowledge_for_staff(inquiry.report_id, inquiry.user)


def test_a_changed_link_opens_nothing_and_neither_does_one_of_a_report() -> None:
    inquiry = make_inquiry()
    path = path_of(inquiry)
    changed = path[:-2] + ("x" if path[-2] != "x" else "y") + "/"
    of_report = report_url(inquiry.report_id, inquiry.user_id).rpartition("/reports/")[2].rstrip("/")

    for wrong in (changed, INCIDENT_PAGE_PATH.format(token="nothing"), INCIDENT_PAGE_PATH.format(token=of_report)):
        assert Client().get(wrong).status_code == 404
        assert Client().post(wrong, {"answer": "acknowledge"}).status_code == 404


def test_a_link_is_good_only_while_report_and_person_are() -> None:
    assert look(make_inquiry(make_incident(is_active=False))).status_code == 404
    assert look(make_inquiry(user=make_user(is_active=False))).status_code == 404


def test_a_link_ends_with_the_longest_execution() -> None:
    path = path_of(make_inquiry())

    with at(timezone.now() + timedelta(days=INCIDENT_LINK_DAYS, minutes=1)):
        response = Client().post(path, {"answer": "acknowledge"})

    assert response.status_code == 410
    assert "This link has expired" in response.content.decode()


def test_an_answer_that_is_neither_is_refused() -> None:
    response = press(make_inquiry(), "no")

    assert (response.status_code, has_buttons(response)) == (400, True)


def test_a_browser_that_takes_no_cookies_can_answer() -> None:
    inquiry, browser = make_inquiry(), Client(enforce_csrf_checks=True)

    page = browser.get(path_of(inquiry))
    answer = browser.post(path_of(inquiry), {"answer": "acknowledge"}, headers={"Origin": "null"})

    assert (len(page.cookies), answer.status_code) == (0, 302)
    inquiry.refresh_from_db()
    assert inquiry.status == "acknowledged"


def test_the_page_needs_nothing_from_elsewhere_and_its_form_goes_nowhere_else() -> None:
    response = look(make_inquiry())

    assert "<script" not in response.content.decode()
    assert response["Content-Security-Policy"].startswith("default-src 'none'")
    assert response["Content-Security-Policy"].endswith("form-action 'self'")
    assert (response["Referrer-Policy"], response["X-Robots-Tag"]) == ("no-referrer", "noindex")
    assert response["Cache-Control"] == "private, max-age=0"


def test_the_page_is_in_the_language_of_the_person() -> None:
    assert '<html lang="es">' in look(make_inquiry(user=make_user(language="es"))).content.decode()


def test_the_link_in_mails_is_an_address_of_the_site() -> None:
    assert reverse("incident-page", args=["a:b"]) == INCIDENT_PAGE_PATH.format(token="a:b")
