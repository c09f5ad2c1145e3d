"""Incidents that nobody has acknowledged, for who looks after all of them."""

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
    """One incident. ``is_asked``: somebody is being asked to acknowledge it."""

    report_id: int
    property: str
    reported_at: datetime
    is_asked: bool


@dataclass(frozen=True)
class OpenIncidents:
    """How many there are, and some of them: those first of which nobody is asked, then the oldest."""

    count: int
    shown: tuple[OpenIncident, ...]


def open_incidents(limit: int = MOST_SHOWN) -> OpenIncidents:
    """Return the incidents that nobody has acknowledged; by one query."""
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
    """Return, ``since`` its end, the last escalation of each unacknowledged incident if it did not succeed."""
    open_reports = GuardReport.objects.filter(pk=OuterRef("subject_id"), acknowledged_at__isnull=True, is_active=True)
    escalations = TaskRecord.objects.filter(task=ESCALATION_TASK, subject_id__isnull=False)
    others = escalations.filter(subject_id=OuterRef("subject_id")).exclude(pk=OuterRef("pk"))
    later = others.filter(Q(enqueued_at__gt=OuterRef("enqueued_at")) | ~Q(status__in=UNSUCCESSFUL))
    ended = escalations.filter(Exists(open_reports), ~Exists(later), status__in=UNSUCCESSFUL)
    return ended.annotate(since=Coalesce(F("finished_at"), F("enqueued_at")))
