"""Incidents: a report marked as one, and acknowledged by one person, the first who does.

Whatever decides how an incident stands locks its report's row first, so that of two people, or of a person and the
workflow, one comes first. How supervisors are asked in turn is in ``incidents.escalation``.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from qu_workflows.aws.task_tokens import NoLongerAwaited, beat, end_task, is_local
from qu_workflows.records.models import UNSUCCESSFUL, TaskRecord, TaskStatus
from reports.models import GuardReport, IncidentInquiry, InquiryStatus
from workflows.contracts.incident_escalation import Acknowledgement
from workflows.errors import ReportNotFound

logger = logging.getLogger(__name__)


class InquiryOver(Exception):
    """The person's turn is over: somebody else is asked, or nobody is any more. Nothing was changed."""


def mark_incident(report_id: int) -> str | None:
    """Make a report an incident, and enqueue its escalation; return the task's id.

    None where nobody has to be asked: somebody has acknowledged, or an escalation is under way. Safe to repeat.
    Raises ReportNotFound.
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
    """Enqueue the escalation of a new report that is an incident; a failure must not lose the report."""
    if not report.is_incident:
        return
    try:
        with transaction.atomic():
            _enqueue(report)
    except Exception:
        logger.exception("Incident %s is saved, but its escalation was not enqueued.", report.pk)


def acknowledge(inquiry_id: int) -> IncidentInquiry:
    """Record that the person asked has acknowledged, and end the state that waits for it. The first one wins.

    Raises InquiryOver, and StepFunctionsUnavailable: then nothing was recorded. Should Step Functions have the answer
    and this not be committed, "Record Acknowledgement" records it. Safe to repeat.
    """
    with transaction.atomic():
        inquiry = locked_inquiry(inquiry_id)
        if inquiry.report.acknowledged_at is not None:
            return inquiry
        _require_open(inquiry)
        record_acknowledged(inquiry.report, inquiry.user, timezone.now(), inquiry)
        if inquiry.task_token:  # else the person was quicker than the state, which will find it acknowledged
            _end(inquiry, inquiry.user_id)
    return inquiry


def give_sign(inquiry_id: int) -> IncidentInquiry:
    """Take the person's word for looking into it: the turn goes on for another heartbeat, at most to its end.

    Raises InquiryOver, and StepFunctionsUnavailable: then nothing was changed. Safe to repeat.
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
    """Record that somebody of the back office has acknowledged; False if somebody had, or it is no incident.

    Whoever is being asked is asked no longer. Raises ReportNotFound, and StepFunctionsUnavailable: then nothing
    was recorded.
    """
    with transaction.atomic():
        report = locked_report(report_id)
        if report.acknowledged_at is not None or not report.is_incident:
            return False
        record_acknowledged(report, user, timezone.now())
        for inquiry in report.inquiries.filter(status=InquiryStatus.ASKED).exclude(task_token=""):
            inquiry.report = report
            try:
                _end(inquiry, user.pk)
            except InquiryOver:
                continue  # its execution goes on to choose the next person, and finds it acknowledged
    return True


def locked_report(report_id: int) -> GuardReport:
    """Return a report, locked until the transaction ends. Raises ReportNotFound."""
    report = GuardReport.objects.select_for_update().filter(pk=report_id).first()
    if report is None:
        raise ReportNotFound(f"report {report_id}", "does not exist.", "Give the id of a saved report.")
    return report


def locked_inquiry(inquiry_id: int) -> IncidentInquiry:
    """Return an inquiry as it stands once its report is locked. Raises IncidentInquiry.DoesNotExist."""
    found = IncidentInquiry.objects.only("report_id").get(pk=inquiry_id)
    report = locked_report(found.report_id)
    inquiry = IncidentInquiry.objects.select_related("user").get(pk=inquiry_id)
    inquiry.report = report
    return inquiry


def record_acknowledged(
    report: GuardReport, user: User | None, moment: datetime, inquiry: IncidentInquiry | None = None
) -> None:
    """Write who has acknowledged a locked report and when, and in the inquiry that it answers."""
    report.acknowledged_by, report.acknowledged_at = user, moment
    report.save(update_fields=["acknowledged_by", "acknowledged_at", "updated_at"])
    if inquiry is not None:
        inquiry.status, inquiry.acknowledged_at = InquiryStatus.ACKNOWLEDGED, moment
        inquiry.save(update_fields=["status", "acknowledged_at"])


def acknowledgement_of(inquiry: IncidentInquiry, user_id: int) -> Acknowledgement:
    """Return what ends the state that waits for an inquiry whose report is acknowledged."""
    moment = inquiry.report.acknowledged_at
    if moment is None:
        raise ValueError(f"{inquiry.report} is not acknowledged. Record that first.")
    return Acknowledgement(inquiry_id=inquiry.pk, user_id=user_id, acknowledged_at=moment)


def is_over(inquiry: IncidentInquiry, now: datetime) -> bool:
    """Return whether a person's turn has ended, as far as the database knows; Step Functions' word goes before.

    Until there is a token nobody waits yet, so no time runs.
    """
    has_run_out = bool(inquiry.task_token) and now >= min(inquiry.sign_by, inquiry.answer_by)
    return inquiry.status != InquiryStatus.ASKED or has_run_out


def _require_open(inquiry: IncidentInquiry) -> None:
    # Of a token of Step Functions only Step Functions can say whether its time is over.
    by_us = is_local(inquiry.task_token) and is_over(inquiry, timezone.now())
    if inquiry.status != InquiryStatus.ASKED or by_us:
        raise InquiryOver(f"inquiry {inquiry.pk}")


def _end(inquiry: IncidentInquiry, user_id: int) -> None:
    try:
        end_task(inquiry.task_token, acknowledgement_of(inquiry, user_id).model_dump(mode="json"))
    except NoLongerAwaited as error:
        raise InquiryOver(str(error)) from error


def _is_escalated(report: GuardReport) -> bool:
    records = TaskRecord.objects.filter(subject_id=report.pk, workflow="incident_escalation")
    return records.exclude(status__in=[TaskStatus.SUCCEEDED, *UNSUCCESSFUL]).exists()


def _enqueue(report: GuardReport) -> str:
    from common.tasks import escalate_incident  # the functions that ask supervisors enqueue nothing

    return escalate_incident.enqueue(report_id=report.pk).id
