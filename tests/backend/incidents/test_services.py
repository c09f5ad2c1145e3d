"""Incidents are marked, acknowledged and escalated once, also concurrently."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import close_old_connections, connection
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from incidents.services import (
    InquiryOver,
    acknowledge,
    acknowledge_for_staff,
    choose_person,
    keep_token,
    mark_incident,
    record_acknowledgement,
)
from qu_workflows.aws.task_tokens import StepFunctionsUnavailable
from qu_workflows.records.models import TaskRecord, TaskStatus
from reports.models import GuardReport, IncidentInquiry
from tests.backend.incidents.making import FakeStepFunctions, make_incident, make_inquiry
from tests.backend.people import make_report, make_user, photo
from workflows.contracts.incident_escalation import (
    Acknowledgement,
    AwaitAcknowledgementInput,
    ChoosePersonInput,
    RecordAcknowledgementInput,
    Turn,
)
from workflows.errors import NobodyAcknowledged, RecipientNotFound, ReportNotFound

pytestmark = pytest.mark.django_db
UNKNOWN = 10**9


def escalations(report: GuardReport | None = None) -> int:
    found = TaskRecord.objects.filter(task="escalate_incident")
    return found.filter(subject_id=report.pk).count() if report else found.count()


def choose(report: GuardReport, previous_turn: int = 0, task_id: str = "t-1") -> Turn:
    return choose_person(ChoosePersonInput(task_id=task_id, report_id=report.pk, previous_turn=previous_turn))


def keep(inquiry: IncidentInquiry, number: int = 1) -> Acknowledgement | None:
    return keep_token(AwaitAcknowledgementInput(task_id="t-1", inquiry_id=inquiry.pk, task_token=f"token-{number}"))


class TestMarked:
    def test_the_mobile_app_marks_a_report_as_it_sends_it(self, app: APIClient) -> None:
        for words in ({"is_incident": "true"}, {"is_incident": "false"}, {}):
            given: dict[str, Any] = {"file": photo(), **words}
            response = app.post("/api/mobile/guard-reports/", given, format="multipart")
            assert response.status_code == 201
            assert response.json()["is_incident"] == (words.get("is_incident") == "true")

        assert escalations() == 1

    def test_staff_marks_one_by_the_api_once(self, staff: APIClient) -> None:
        report = make_report()
        for given in ({"is_incident": True}, {"is_incident": True}, {"is_incident": False}):
            response = staff.patch(f"/api/guard-reports/{report.pk}/", given, format="json")
            assert (response.status_code, response.json()["is_incident"]) == (200, True)

        assert escalations(report) == 1

    def test_staff_marks_one_in_the_admin_and_can_not_take_it_back(self) -> None:
        report, browser = make_report(), Browser()
        browser.force_login(make_user(is_staff=True, is_superuser=True))
        url = reverse("admin:reports_guardreport_change", args=[report.pk])
        moment = timezone.localtime(report.report_datetime)
        form = {
            "guard": report.guard_id,
            "note": report.note,
            "report_datetime_0": f"{moment:%Y-%m-%d}",
            "report_datetime_1": f"{moment:%H:%M:%S}",
            "is_active": "on",
            **{f"{kind}-{name}_FORMS": 0 for kind in ("files", "inquiries") for name in ("TOTAL", "INITIAL")},
        }

        assert browser.post(url, form | {"is_incident": "on"}).status_code == 302
        assert browser.post(url, form).status_code == 302

        report.refresh_from_db()
        assert (report.is_incident, escalations(report)) == (True, 1)

    def test_while_an_escalation_is_under_way_no_other_begins(self) -> None:
        report = make_report()

        assert mark_incident(report.pk) is not None
        assert mark_incident(report.pk) is None
        TaskRecord.objects.update(status=TaskStatus.FAILED)
        assert mark_incident(report.pk) is not None
        assert escalations(report) == 2

    def test_an_acknowledged_incident_is_not_escalated(self) -> None:
        report = make_incident()
        acknowledge_for_staff(report.pk, make_user())

        assert mark_incident(report.pk) is None

    def test_a_report_that_is_not_there_is_an_error(self) -> None:
        with pytest.raises(ReportNotFound):
            mark_incident(UNKNOWN)

    def test_a_report_is_kept_though_its_escalation_could_not_be_enqueued(
        self, app: APIClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(_: GuardReport) -> str:
            raise RuntimeError("no table")

        monkeypatch.setattr("incidents.services._enqueue", broken)

        response = app.post("/api/mobile/guard-reports/", {"file": photo(), "is_incident": "true"}, format="multipart")

        assert (response.status_code, GuardReport.objects.get().is_incident) == (201, True)
        assert "escalation was not enqueued" in caplog.text


class TestChosen:
    def test_supervisors_are_asked_in_order_also_after_a_retry(self) -> None:
        first, second = make_user(), make_user()
        report = make_incident(first, second)

        turns = [choose(report, previous) for previous in (0, 0, 1, 1)]

        assert [turn.number for turn in turns] == [1, 1, 2, 2]
        assert [turn.recipient.user_id for turn in turns if turn.recipient] == [
            first.pk,
            first.pk,
            second.pk,
            second.pk,
        ]
        assert IncidentInquiry.objects.count() == 2

    def test_the_turn_before_is_closed_as_what_became_of_it(self) -> None:
        report = make_incident(make_user(), make_user(), make_user())
        choose(report)
        choose(report, 1)  # the first one never came to its wait
        keep(report.inquiries.get(turn=2))
        choose(report, 2)

        assert list(report.inquiries.order_by("turn").values_list("status", flat=True)) == [
            "unreachable",
            "unanswered",
            "asked",
        ]

    def test_the_times_are_those_of_the_settings(self, settings: Settings) -> None:
        settings.INCIDENT_ANSWER_SECONDS, settings.INCIDENT_HEARTBEAT_SECONDS = 120, 30
        report = make_incident(make_user())

        turn = choose(report)

        inquiry = report.inquiries.get()
        assert (turn.timeout_seconds, turn.heartbeat_seconds) == (120, 30)
        assert inquiry.answer_by - inquiry.asked_at == timedelta(seconds=120)

    def test_after_the_last_person_the_error_has_a_remedy(self) -> None:
        report = make_incident(make_user())
        choose(report)
        keep(report.inquiries.get())

        with pytest.raises(NobodyAcknowledged, match="Add a supervisor, or acknowledge it in the back office"):
            choose(report, 1)

        assert report.inquiries.get().status == "unanswered"

    def test_an_acknowledged_incident_ends_the_asking_and_keeps_the_turn(self) -> None:
        report = make_incident(make_user(), make_user())
        choose(report)
        acknowledge(report.inquiries.get().pk)

        turn = choose(report, 1)

        assert (turn.is_acknowledged, turn.number, turn.inquiry_id, turn.recipient) == (True, 1, None, None)
        assert report.inquiries.get().status == "acknowledged"

    def test_another_execution_asks_all_people_again(self) -> None:
        first = make_user()
        report = make_incident(first)
        choose(report)

        assert choose(report, task_id="t-2").recipient == choose(report).recipient
        assert report.inquiries.count() == 2

    def test_who_has_no_address_or_is_gone_is_not_asked(self) -> None:
        able = make_user()
        report = make_incident(make_user(email=""), make_user(is_active=False), able)

        turn = choose(report)

        assert turn.recipient is not None
        assert turn.recipient.user_id == able.pk

    def test_an_inactive_report_ends_the_turn_until_it_is_activated(self) -> None:
        report = make_incident(make_user(), make_user())
        choose(report)
        GuardReport.objects.update(is_active=False)

        with pytest.raises(ReportNotFound, match="Activate it"):
            choose(report, 1)

        assert report.inquiries.get().status == "unreachable"  # no token: the mail was not sent
        GuardReport.objects.update(is_active=True)
        assert choose(report, 1).number == 2

    @pytest.mark.parametrize("fields", [{"is_active": False}, None])
    def test_a_report_that_is_gone_is_an_error(self, fields: dict[str, Any] | None) -> None:
        with pytest.raises(ReportNotFound):
            choose(make_incident(make_user(), **fields) if fields else GuardReport(pk=UNKNOWN))


class TestKept:
    def test_a_later_attempt_replaces_token_and_time(self) -> None:
        old = timezone.now() - timedelta(hours=1)
        inquiry = make_inquiry(asked_at=old, sign_by=old, answer_by=old + timedelta(minutes=10), task_token="")

        assert keep(inquiry, 1) is None
        assert keep(inquiry, 2) is None

        inquiry.refresh_from_db()
        assert inquiry.task_token == "token-2"
        assert inquiry.answer_by - inquiry.asked_at == timedelta(minutes=10)
        assert timezone.now() < inquiry.sign_by <= inquiry.answer_by

    def test_an_answer_that_was_there_before_is_given_back(self) -> None:
        inquiry = make_inquiry(task_token="")
        acknowledge(inquiry.pk)

        answer = keep(inquiry)

        assert answer is not None
        assert (answer.inquiry_id, answer.user_id) == (inquiry.pk, inquiry.user_id)

    def test_a_deleted_inquiry_is_an_error_of_the_recipient(self) -> None:
        with pytest.raises(RecipientNotFound):
            keep(IncidentInquiry(pk=UNKNOWN))


class TestRecorded:
    def record(self, inquiry: IncidentInquiry, user: User) -> int:
        answer = Acknowledgement(inquiry_id=inquiry.pk, user_id=user.pk, acknowledged_at=timezone.now())
        given = RecordAcknowledgementInput(task_id="t-1", report_id=inquiry.report_id, acknowledgement=answer)
        return record_acknowledgement(given).user_id

    def test_an_uncommitted_answer_is_recorded_from_the_output(self) -> None:
        inquiry = make_inquiry()

        assert [self.record(inquiry, inquiry.user) for _ in range(2)] == [inquiry.user_id] * 2

        inquiry.refresh_from_db()
        assert (inquiry.status, inquiry.report.acknowledged_by) == ("acknowledged", inquiry.user)

    def test_the_first_one_stays(self, step_functions: FakeStepFunctions) -> None:  # noqa: ARG002  it takes the answer
        inquiry, staff = make_inquiry(), make_user()
        acknowledge_for_staff(inquiry.report_id, staff)

        assert self.record(inquiry, inquiry.user) == staff.pk
        inquiry.refresh_from_db()
        assert inquiry.status == "asked"


class TestByStaff:
    def test_the_admin_acknowledges_as_the_person_who_is_signed_in(self, step_functions: FakeStepFunctions) -> None:
        inquiry, browser = make_inquiry(), Browser()
        staff = make_user(is_staff=True, is_superuser=True)
        browser.force_login(staff)
        action = {"action": "acknowledge", "_selected_action": [inquiry.report_id]}
        url = reverse("admin:reports_guardreport_changelist")

        step_functions.error = "ThrottlingException"
        assert b"Please try again" in browser.post(url, action, follow=True).content
        inquiry.report.refresh_from_db()
        assert inquiry.report.acknowledged_at is None

        step_functions.error = ""
        assert b"1 incident was acknowledged." in browser.post(url, action, follow=True).content
        inquiry.report.refresh_from_db()
        assert inquiry.report.acknowledged_by == staff
        page = browser.get(reverse("admin:reports_guardreport_change", args=[inquiry.report_id])).content.decode()
        assert str(inquiry.user) in page

    def test_a_turn_that_is_over_keeps_staff_from_nothing(self, step_functions: FakeStepFunctions) -> None:
        inquiry = make_inquiry()
        step_functions.error = "TaskTimedOut"

        assert acknowledge_for_staff(inquiry.report_id, make_user())

    def test_what_is_no_incident_can_not_be_acknowledged(self) -> None:
        assert not acknowledge_for_staff(make_report().pk, make_user())

    def test_step_functions_that_is_not_reached_leaves_nothing_recorded(
        self, step_functions: FakeStepFunctions
    ) -> None:
        inquiry = make_inquiry()
        step_functions.error = "ServiceUnavailable"

        with pytest.raises(StepFunctionsUnavailable):
            acknowledge_for_staff(inquiry.report_id, make_user())

        inquiry.report.refresh_from_db()
        assert inquiry.report.acknowledged_at is None


def test_the_back_office_sees_who_was_asked_and_filters_incidents(staff: APIClient) -> None:
    inquiry = make_inquiry(make_incident(), make_user(first_name="Ana", last_name="Soto"))
    make_report()

    [shown] = staff.get("/api/guard-reports/?is_incident=true").json()["results"]

    assert (shown["id"], shown["acknowledged_by"], shown["acknowledged_at"]) == (inquiry.report_id, None, None)
    [asked] = shown["inquiries"]
    assert (asked["turn"], asked["user_name"], asked["status"]) == (1, "Ana Soto", "asked")
    assert "task_token" not in asked
    assert len(staff.get("/api/guard-reports/?is_incident=false").json()["results"]) == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_people_who_acknowledge_at_once_one_is_first(step_functions: FakeStepFunctions) -> None:
    report = make_incident()
    inquiries = [make_inquiry(report, task_token=f"token-{number}") for number in range(2)]
    start = threading.Barrier(2)

    def press(inquiry: IncidentInquiry) -> None:
        start.wait(10)
        acknowledge(inquiry.pk)

    _at_once(*[lambda inquiry=inquiry: press(inquiry) for inquiry in inquiries])

    report.refresh_from_db()
    acknowledged = report.inquiries.get(status="acknowledged")
    assert report.acknowledged_by_id == acknowledged.user_id
    assert [given["taskToken"] for _, given in step_functions.sent] == [acknowledged.task_token]


@pytest.mark.django_db(transaction=True)
def test_an_answer_and_the_end_of_its_turn_never_both_happen() -> None:
    first, second = make_user(), make_user()
    report = make_incident(first, second)
    choose(report)
    inquiry = report.inquiries.get()
    start, outcomes = threading.Barrier(2), dict[str, Any]()

    def answer() -> None:
        start.wait(10)
        try:
            outcomes["answer"] = acknowledge(inquiry.pk)
        except InquiryOver:
            outcomes["answer"] = None

    def go_on() -> None:
        start.wait(10)
        outcomes["turn"] = choose(report, 1)

    _at_once(answer, go_on)

    assert (outcomes["answer"] is not None) == outcomes["turn"].is_acknowledged


def _at_once(*acts: Callable[[], object]) -> None:
    failed: list[BaseException] = []

    def run(act: Callable[[], object]) -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001  raised again below
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    close_old_connections()
    assert failed == []
