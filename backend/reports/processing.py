"""The tasks about a report, for the pages that show it: how far its processing is, and where to look at it."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import OuterRef, Subquery
from django.db.models.functions import JSONObject
from django.urls import reverse

from qu_workflows.records.models import TaskRecord
from reports.models import GuardReport, GuardReportQuerySet

PROCESSING = "guard_report"  # the workflow
SHOWN_TASKS = 5


@dataclass(frozen=True)
class Processing:
    """The newest task that processes a report, and how far it is."""

    task_id: str
    status: str


def with_processing(reports: GuardReportQuerySet) -> GuardReportQuerySet:
    """Return the reports with what ``processing_of`` tells of each, in the same query."""
    newest = TaskRecord.objects.filter(subject_id=OuterRef("pk"), workflow=PROCESSING).order_by("-enqueued_at", "-id")
    found = newest.values_list(JSONObject(task_id="id", status="status"))[:1]
    return reports.annotate(newest_processing=Subquery(found))


def processing_of(report: GuardReport) -> Processing | None:
    """Return the newest processing of a report from ``with_processing``; None if there is no record of one."""
    found: dict[str, Any] | None = getattr(report, "newest_processing")  # noqa: B009  annotated
    return Processing(**found) if found else None


def tasks_about(report_id: int) -> list[TaskRecord]:
    """Return the newest tasks about a report, whatever they do with it."""
    found = TaskRecord.objects.filter(subject_id=report_id).order_by("-enqueued_at", "-id")
    return list(found.only("id", "task", "status", "enqueued_at")[:SHOWN_TASKS])


def console_path(task_id: str, reader: AbstractBaseUser | AnonymousUser) -> str | None:
    """Return where a task is seen in the console; None for somebody who may not see it."""
    may_see = getattr(reader, "is_staff", False) and getattr(reader, "has_perm")("executions.view_console")  # noqa: B009  not of every kind of user
    return reverse("console:tasks-execution", args=[task_id]) if may_see else None
