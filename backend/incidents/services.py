"""Incidents: reports that supervisors are asked in turn to acknowledge. The first acknowledgement counts.

All changes lock the report's row first, so that concurrent changes by people and by the workflow are serialized. Each
turn of an execution is one IncidentInquiry, found by task id and turn, so that steps are safe to retry.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from core.models import PropertySupervisor
from qu_workflows.aws.task_tokens import NoLongerAwaited, beat, end_task
from qu_workflows.records.models import UNSUCCESSFUL, TaskRecord, TaskStatus
from reports.models import GuardReport, IncidentInquiry, InquiryStatus
from reports.services import SUPERVISORS_GROUP
from workflows.contracts.guard_report import Recipient, RecipientRole
from workflows.contracts.incident_escalation import (
    AcknowledgedIncident,
    Acknowledgement,
    AwaitAcknowledgementInput,
    ChoosePersonInput,
    RecordAcknowledgementInput,
    Turn,
)
from workflows.errors import NobodyAcknowledged, RecipientNotFound, ReportNotFound

logger = logging.getLogger(__name__)


class InquiryOver(Exception):
    """The person's turn is over. Nothing was changed."""


def mark_incident(report_id: int) -> str | None:
    """Mark a report as an incident, enqueue its escalation, and return the task's id.

    Returns None if it is already acknowledged or being escalated. Raises ReportNotFound. Safe to retry.
    """
    with transaction.atomic():
        report = locked_report(report_id)
        if not report.is_incident:
            report.is_incident = True
            report.save(update_fields=["is_incident", "updated_at"])
        if report.acknowledged_at is not None or _is_escalated(report):
            return None
        return _enqueue(report)


def escalate_new_incident(report: GuardReport, **_kwargs: Any) -> None:
    """Enqueue the escalation of a new incident. A failure is logged, to keep the report."""
    if not report.is_incident:
        return
    try:
        with transaction.atomic():
            _enqueue(report)
    except Exception:
        logger.exception("Incident %s is saved, but its escalation was not enqueued.", report.pk)


def acknowledge(inquiry_id: int) -> IncidentInquiry:
    """Record the acknowledgement by the person asked, and end the waiting state.

    Raises InquiryOver and StepFunctionsUnavailable; then nothing is recorded. If the commit fails after the request to
    Step Functions, "Record Acknowledgement" records it. Safe to retry.
    """
    with transaction.atomic():
        inquiry = locked_inquiry(inquiry_id)
        if inquiry.report.acknowledged_at is not None:
            return inquiry
        _require_open(inquiry)
        record_acknowledged(inquiry.report, inquiry.user, timezone.now(), inquiry)
        if inquiry.task_token:  # without one, the state has not started, and will find it acknowledged
            _end(inquiry)
    return inquiry


def give_sign(inquiry_id: int) -> IncidentInquiry:
    """Record a heartbeat, which extends the turn, at most to its end.

    Raises InquiryOver and StepFunctionsUnavailable; then nothing is changed. Safe to retry.
    """
    with transaction.atomic():
        inquiry = locked_inquiry(inquiry_id)
        if inquiry.report.acknowledged_at is not None:
            return inquiry
        _require_open(inquiry)
        now = timezone.now()
        inquiry.seen_at = now
        inquiry.sign_by = min(now + timedelta(seconds=settings.INCIDENT_HEARTBEAT_SECONDS), inquiry.answer_by)
        inquiry.save(update_fields=["seen_at", "sign_by"])
        if inquiry.task_token:
            try:
                beat(inquiry.task_token)
            except NoLongerAwaited as error:
                raise InquiryOver(str(error)) from error
    return inquiry


def acknowledge_for_staff(report_id: int, user: User) -> bool:
    """Record the acknowledgement by a user of the back office, and end the current turn.

    Returns False if it was acknowledged already or is not an incident. Raises ReportNotFound and
    StepFunctionsUnavailable; then nothing is recorded.
    """
    with transaction.atomic():
        report = locked_report(report_id)
        if report.acknowledged_at is not None or not report.is_incident:
            return False
        record_acknowledged(report, user, timezone.now())
        for inquiry in report.inquiries.filter(status=InquiryStatus.ASKED).exclude(task_token=""):
            inquiry.report = report
            try:
                _end(inquiry)
            except InquiryOver:
                continue  # its execution will choose the next person, and find it acknowledged
    return True


def locked_report(report_id: int) -> GuardReport:
    """Return a report, locked until the transaction ends. Raises ReportNotFound."""
    report = GuardReport.objects.select_for_update().filter(pk=report_id).first()
    if report is None:
        raise ReportNotFound(f"report {report_id}", "does not exist.", "Give the id of a saved report.")
    return report


def locked_inquiry(inquiry_id: int) -> IncidentInquiry:
    """Lock an inquiry's report and return the inquiry. Raises IncidentInquiry.DoesNotExist."""
    found = IncidentInquiry.objects.only("report_id").get(pk=inquiry_id)
    report = locked_report(found.report_id)
    inquiry = IncidentInquiry.objects.select_related("user").get(pk=inquiry_id)
    inquiry.report = report
    return inquiry


def record_acknowledged(
    report: GuardReport, user: User | None, moment: datetime, inquiry: IncidentInquiry | None = None
) -> None:
    """Save an acknowledgement in a locked report, and in the inquiry that it answers."""
    report.acknowledged_by, report.acknowledged_at = user, moment
    report.save(update_fields=["acknowledged_by", "acknowledged_at", "updated_at"])
    if inquiry is not None:
        inquiry.status, inquiry.acknowledged_at = InquiryStatus.ACKNOWLEDGED, moment
        inquiry.save(update_fields=["status", "acknowledged_at"])


def is_over(inquiry: IncidentInquiry, now: datetime) -> bool:
    """Return whether a turn has ended according to the database; Step Functions decides.

    The time starts with the token.
    """
    has_run_out = bool(inquiry.task_token) and now >= min(inquiry.sign_by, inquiry.answer_by)
    return inquiry.status != InquiryStatus.ASKED or has_run_out


def _require_open(inquiry: IncidentInquiry) -> None:
    # Only Step Functions knows whether one of its tokens has timed out.
    if inquiry.status != InquiryStatus.ASKED:
        raise InquiryOver(f"inquiry {inquiry.pk}")


def _end(inquiry: IncidentInquiry) -> None:
    answer = answer_of(inquiry)
    if answer is None:
        raise ValueError(f"{inquiry.report} is not acknowledged. Record that first.")
    try:
        end_task(inquiry.task_token, answer.model_dump(mode="json"))
    except NoLongerAwaited as error:
        raise InquiryOver(str(error)) from error


def _is_escalated(report: GuardReport) -> bool:
    records = TaskRecord.objects.filter(subject_id=report.pk, workflow="incident_escalation")
    return records.exclude(status__in=[TaskStatus.SUCCEEDED, *UNSUCCESSFUL]).exists()


def _enqueue(report: GuardReport) -> str:
    from common.tasks import escalate_incident  # functions do not need it

    return escalate_incident.enqueue(report_id=report.pk).id


def choose_person(given: ChoosePersonInput) -> Turn:
    """Close the previous turn and return the next one. Raises NobodyAcknowledged and ReportNotFound.

    Safe to retry: a turn that was already started is returned again.
    """
    with transaction.atomic():
        report = locked_report(given.report_id)
        turn = _turn(report, given)
    # Raised after the commit, which closes the previous turn.
    if turn is None and not report.is_active:
        raise ReportNotFound(
            f"report {report.pk}", "is not active: no person is asked.", "Activate it, and redrive this execution."
        )
    if turn is None:
        raise NobodyAcknowledged(
            f"report {given.report_id}",
            f"was not acknowledged by any of the {given.previous_turn} people asked.",
            "Add a supervisor, or acknowledge it in the back office, and redrive this execution.",
        )
    return turn


def keep_token(given: AwaitAcknowledgementInput) -> Acknowledgement | None:
    """Save the token of a turn, and return an answer that came before it.

    The turn's time starts now. Safe to retry: the last token counts. Raises RecipientNotFound.
    """
    with transaction.atomic():
        try:
            inquiry = locked_inquiry(given.inquiry_id)
        except IncidentInquiry.DoesNotExist:
            raise no_inquiry(given.inquiry_id) from None
        if inquiry.status == InquiryStatus.ASKED:
            _begin_to_wait(inquiry, given.task_token)
        return answer_of(inquiry)


def _begin_to_wait(inquiry: IncidentInquiry, task_token: str) -> None:
    now = timezone.now()
    inquiry.answer_by = now + (inquiry.answer_by - inquiry.asked_at)
    inquiry.sign_by = min(now + timedelta(seconds=settings.INCIDENT_HEARTBEAT_SECONDS), inquiry.answer_by)
    inquiry.task_token, inquiry.asked_at = task_token, now
    inquiry.save(update_fields=["task_token", "asked_at", "answer_by", "sign_by"])


def answer_of(inquiry: IncidentInquiry) -> Acknowledgement | None:
    """Return the output that ends an inquiry's turn, None before its report is acknowledged."""
    report = inquiry.report
    if report.acknowledged_at is None:
        return None
    user_id = report.acknowledged_by_id or inquiry.user_id
    return Acknowledgement(inquiry_id=inquiry.pk, user_id=user_id, acknowledged_at=report.acknowledged_at)


def record_acknowledgement(given: RecordAcknowledgementInput) -> AcknowledgedIncident:
    """Record an acknowledgement unless there is one, and return the first. Raises ReportNotFound.

    Safe to retry.
    """
    answer = given.acknowledgement
    with transaction.atomic():
        report = locked_report(given.report_id)
        inquiry = report.inquiries.filter(pk=answer.inquiry_id).first()
        answered = inquiry if inquiry is not None and inquiry.user_id == answer.user_id else None
        if report.acknowledged_at is None:
            user = User.objects.filter(pk=answer.user_id).first()
            record_acknowledged(report, user, answer.acknowledged_at, answered)
        moment, user_id = report.acknowledged_at or answer.acknowledged_at, report.acknowledged_by_id
    return AcknowledgedIncident(user_id=user_id or answer.user_id, acknowledged_at=moment)


def people_to_ask(report: GuardReport) -> list[User]:
    """Return the property's supervisors in order, then the other members of the group."""
    able = User.objects.filter(is_active=True).exclude(email="")
    links = PropertySupervisor.objects.filter(property=report.property, user__in=able).select_related("user")
    people = [link.user for link in links.order_by("position", "id")] if report.property else []
    group = able.filter(groups__name=SUPERVISORS_GROUP).exclude(pk__in=[user.pk for user in people])
    return [*people, *group.order_by("pk")]


def _turn(report: GuardReport, given: ChoosePersonInput) -> Turn | None:
    number = given.previous_turn + 1
    asked = IncidentInquiry.objects.filter(task_id=given.task_id)
    begun = asked.filter(turn=number).first()
    _close(asked.filter(turn=given.previous_turn, status=InquiryStatus.ASKED), report)
    if report.acknowledged_at is not None:
        return _answer(number if begun else given.previous_turn)
    if not report.is_active:
        return None
    if begun is None:
        already = set(asked.values_list("user_id", flat=True))
        person = next((user for user in people_to_ask(report) if user.pk not in already), None)
        if person is None:
            return None
        begun = _begin(report, given.task_id, number, person)
    return _answer(number, begun)


def _close(open_inquiry: QuerySet[IncidentInquiry], report: GuardReport) -> None:
    if report.acknowledged_at is None:
        # Without a token the turn never started to wait: the mail was not sent.
        open_inquiry.filter(task_token="").update(status=InquiryStatus.UNREACHABLE)
        open_inquiry.exclude(task_token="").update(status=InquiryStatus.UNANSWERED)


def _begin(report: GuardReport, task_id: str, number: int, person: User) -> IncidentInquiry:
    now = timezone.now()
    return IncidentInquiry.objects.create(
        report=report,
        task_id=task_id,
        turn=number,
        user=person,
        asked_at=now,
        sign_by=now + timedelta(seconds=settings.INCIDENT_HEARTBEAT_SECONDS),
        answer_by=now + timedelta(seconds=settings.INCIDENT_ANSWER_SECONDS),
    )


def _answer(number: int, inquiry: IncidentInquiry | None = None) -> Turn:
    recipient = inquiry and Recipient(user_id=inquiry.user_id, role=RecipientRole.SUPERVISOR)
    return Turn(
        number=number,
        is_acknowledged=inquiry is None,
        inquiry_id=inquiry and inquiry.pk,
        recipient=recipient,
        timeout_seconds=settings.INCIDENT_ANSWER_SECONDS,
        heartbeat_seconds=settings.INCIDENT_HEARTBEAT_SECONDS,
    )


def no_inquiry(inquiry_id: int) -> RecipientNotFound:
    """Return the error for an inquiry that was deleted with the person's account."""
    return RecipientNotFound(f"inquiry {inquiry_id}", "does not exist.", "Give the id returned by Choose Person.")
