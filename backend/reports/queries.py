"""Lookups of reports by guard, and of the tasks about a report."""

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import and_

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.urls import reverse

from core.models import Guard, name_of
from qu_workflows.records.models import TaskRecord
from reports.models import GuardReport, GuardReportQuerySet

MAX_GUARDS = 50
PROCESSING = "guard_report"  # the workflow
SHOWN_TASKS = 5


def guards_called(text: str) -> list[Guard]:
    """Return at most MAX_GUARDS guards whose names contain each word of a text."""
    words = text.split()[:5]
    if not words:
        return []
    named = (
        Q(user__first_name__icontains=word) | Q(user__last_name__icontains=word) | Q(user__username__icontains=word)
        for word in words
    )
    return list(Guard.objects.filter(reduce(and_, named)).select_related("user")[:MAX_GUARDS])


def guard_numbered(number: int) -> Guard | None:
    """Return the guard with an id, with its user, or None."""
    return Guard.objects.filter(pk=number).select_related("user").first()


def report_ids_of(guards: Sequence[Guard]) -> QuerySet[GuardReport, int]:
    """Return the ids of the guards' reports, as a query."""
    return GuardReport.objects.filter(guard__in=guards).order_by().values_list("pk", flat=True)


def guards_of(report_ids: Iterable[int]) -> dict[int, str]:
    """Return the guards' names by report id, without deleted reports, in one query."""
    found = GuardReport.objects.filter(pk__in=set(report_ids)).select_related("guard__user")
    return {report.pk: name_of(report.guard.user) for report in found}


def with_processing(reports: GuardReportQuerySet) -> GuardReportQuerySet:
    """Annotate ``newest_processing``: the newest processing's ``{"task_id", "status"}``, or None."""
    newest = TaskRecord.objects.filter(subject_id=OuterRef("pk"), workflow=PROCESSING).order_by("-enqueued_at", "-id")
    found = newest.values_list(JSONObject(task_id="id", status="status"))[:1]
    return reports.annotate(newest_processing=Subquery(found))


def tasks_about(report_id: int) -> list[TaskRecord]:
    """Return the newest SHOWN_TASKS tasks about a report."""
    found = TaskRecord.objects.filter(subject_id=report_id).order_by("-enqueued_at", "-id")
    return list(found.only("id", "task", "status", "enqueued_at")[:SHOWN_TASKS])


def console_path(task_id: str, reader: AbstractBaseUser | AnonymousUser) -> str | None:
    """Return the path of a task in the console, None for a reader without access."""
    may_see = getattr(reader, "is_staff", False) and getattr(reader, "has_perm")("executions.view_console")  # noqa: B009  not of every kind of user
    return reverse("console:tasks-execution", args=[task_id]) if may_see else None
