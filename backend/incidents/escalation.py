"""How supervisors are asked of an incident in turn: what the steps of the incident_escalation workflow do here.

Each turn of an execution is one IncidentInquiry, by the execution's name and the turn's number, so that a step
which runs again finds what it did before.
"""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from core.models import PropertySupervisor
from incidents.services import acknowledgement_of, locked_inquiry, locked_report, record_acknowledged
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


def choose_person(given: ChoosePersonInput) -> Turn:
    """Return whom to ask next, and close the turn before. Raises NobodyAcknowledged and ReportNotFound.

    Safe to retry: a turn that was begun is answered again, so nobody is passed over.
    """
    with transaction.atomic():
        report = locked_report(given.report_id)
        turn = _turn(report, given)
    # Raised out of the transaction, which has closed the turn before.
    if turn is None and not report.is_active:
        raise ReportNotFound(
            str(report), "is out of use: nobody is asked of it.", "Put it in use again, and redrive this execution."
        )
    if turn is None:
        raise NobodyAcknowledged(
            f"report {given.report_id}",
            f"{given.previous_turn} people were asked, there is nobody else to ask, and nobody has acknowledged.",
            "Add a supervisor, or acknowledge it in the back office, and redrive this execution.",
        )
    return turn


def keep_token(given: AwaitAcknowledgementInput) -> Acknowledgement | None:
    """Keep the token that ends the person's turn, whose time begins now; return an answer that came before it.

    Safe to retry: the token of a later attempt is the one that counts. Raises RecipientNotFound.
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
    """Return what ends an inquiry's turn if its report is acknowledged, by whomever; else None."""
    if inquiry.report.acknowledged_at is None:
        return None
    return acknowledgement_of(inquiry, inquiry.report.acknowledged_by_id or inquiry.user_id)


def record_acknowledgement(given: RecordAcknowledgementInput) -> AcknowledgedIncident:
    """Record who has acknowledged, unless it is recorded already, and return who was first.

    Safe to retry. Raises ReportNotFound.
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
    """Return who may be asked: the property's supervisors in their order, then the others of the group."""
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
        # Without a token the turn never came to its wait: the mail did not go out.
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
    """Return the error for an inquiry that is no more: it went with the person's account, and the next one is asked."""
    return RecipientNotFound(f"inquiry {inquiry_id}", "does not exist.", "Give the id that Choose Person answered.")
