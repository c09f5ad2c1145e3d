"""Lookups of unacknowledged incidents."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Window
from django.db.models.functions import Coalesce

from qu_workflows.records.models import UNSUCCESSFUL, TaskRecord
from reports.models import GuardReport, IncidentInquiry, InquiryStatus

MOST_SHOWN = 5
ESCALATION_TASK = "escalate_incident"


@dataclass(frozen=True)
class OpenIncident:
    """An unacknowledged incident. ``is_asked``: a supervisor is being asked."""

    report_id: int
    property: str
    reported_at: datetime
    is_asked: bool


@dataclass(frozen=True)
class OpenIncidents:
    """The number of unacknowledged incidents, and the first of them."""

    count: int
    shown: tuple[OpenIncident, ...]


def open_incidents(limit: int = MOST_SHOWN) -> OpenIncidents:
    """Return the unacknowledged incidents: those without an open inquiry first, then the oldest."""
    asked = IncidentInquiry.objects.filter(report=OuterRef("pk"), status=InquiryStatus.ASKED)
    found = GuardReport.objects.filter(is_incident=True, acknowledged_at__isnull=True, is_active=True)
    rows = (
        found.annotate(is_asked=Exists(asked), count=Window(Count("pk")))
        .order_by("is_asked", "report_datetime", "pk")
        .values_list("count", "pk", "property__name", "report_datetime", "is_asked")[:limit]
    )
    shown = list(rows)
    incidents = tuple(OpenIncident(pk, name or "", at, is_asked) for _count, pk, name, at, is_asked in shown)
    return OpenIncidents(shown[0][0] if shown else 0, incidents)


def ended_escalations() -> QuerySet[TaskRecord]:
    """Return the last escalation of each unacknowledged incident, if it failed, ``since`` its end."""
    open_reports = GuardReport.objects.filter(pk=OuterRef("subject_id"), acknowledged_at__isnull=True, is_active=True)
    escalations = TaskRecord.objects.filter(task=ESCALATION_TASK, subject_id__isnull=False)
    others = escalations.filter(subject_id=OuterRef("subject_id")).exclude(pk=OuterRef("pk"))
    later = others.filter(Q(enqueued_at__gt=OuterRef("enqueued_at")) | ~Q(status__in=UNSUCCESSFUL))
    ended = escalations.filter(Exists(open_reports), ~Exists(later), status__in=UNSUCCESSFUL)
    return ended.annotate(since=Coalesce(F("finished_at"), F("enqueued_at")))
