"""Task records, found: by filter, the newest first, or by what a person has at hand of one.

From the database alone: Step Functions lets itself be asked a dozen times a second, and the records follow
its events. What is asked of Step Functions about one execution is in ``qu_workflows.executions.inspection``.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from qu_workflows.executions.step_functions import REDRIVABLE_DAYS
from qu_workflows.protocol.project import registered_project
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.json_values import is_storable
from qu_workflows.records.models import UNSUCCESSFUL, TaskRecord, TaskStatus

# Executions that a process ran by itself have this in place of a Region: Step Functions knows nothing of them.
LOCAL_ARN = "arn:aws:states:local:"
DEFAULT_LIMIT = 50
_AGO = re.compile(r"(?P<number>\d{1,6})\s*(?P<unit>[smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_NAMED_ERRORS = 5
_NAMED_REFERENCES = 20


@dataclass(frozen=True, kw_only=True)
class TaskFilter:
    """Which tasks: those that fit everything given. ``since`` and ``until`` bound the time they were enqueued."""

    workflow: str = ""
    task: str = ""
    statuses: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    error: str = ""
    report_id: int | None = None
    schedule: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether it lets every task through."""
        return self == TaskFilter()

    def check(self) -> None:
        """Raise OperationRefused for a name that there is not, naming those there are."""
        for where in ("workflow", "task", "error", "schedule"):
            if not is_storable(getattr(self, where)):
                raise OperationRefused(f"--{where}", "has a character that no record has.", "Leave it out.")
        if self.workflow:
            _check_choice("--workflow", self.workflow, registered_project().workflows)
        for status in self.statuses:
            _check_choice("--status", status, TaskStatus.values)
        if self.task and not TaskRecord.objects.filter(task=self.task).exists():
            _check_choice("--task", self.task, sorted(registered_project().catalog))
        if self.schedule and not TaskRecord.objects.filter(schedule=self.schedule).exists():
            _check_choice("--schedule", self.schedule, sorted(registered_project().schedules_by_name))
        if self.since and self.until and self.since >= self.until:
            raise OperationRefused("--since", "is not before --until.", "Turn the two around.")

    def words(self) -> str:
        """Return it as the options of the command."""
        given = {
            "--workflow": self.workflow,
            "--task": self.task,
            "--status": " ".join(self.statuses),
            "--since": _iso(self.since),
            "--until": _iso(self.until),
            "--error": self.error,
            "--report": "" if self.report_id is None else str(self.report_id),
            "--schedule": self.schedule,
        }
        return " ".join(f"{name} {value}" for name, value in given.items() if value)


class DaysLeft:
    """What has ``days_left``, of the 14 in which AWS redrives it, as well in seconds."""

    days_left: float | None

    @property
    def seconds_left(self) -> float | None:
        """For how long AWS redrives it still."""
        return None if self.days_left is None else self.days_left * 86_400


@dataclass(frozen=True)
class TaskRow:
    """One task in a list. ``redrivable_until`` is None for one that can not be redriven."""

    id: str
    task: str
    workflow: str
    status: str
    error: str
    report_id: int | None
    schedule: str
    attempt_of: str
    enqueued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    redrive_count: int
    redrivable_until: datetime | None

    def seconds(self, now: datetime) -> float | None:
        """Return for how long it ran, or has run until now; None before its start."""
        return ((self.finished_at or now) - self.started_at).total_seconds() if self.started_at else None

    def days_left(self, now: datetime) -> float | None:
        """Return for how many more days of the 14 it may be redriven; None if it may not."""
        return None if self.redrivable_until is None else (self.redrivable_until - now).total_seconds() / 86_400


@dataclass(frozen=True)
class Page:
    """Some rows; ``next_page`` asks for those after them, "" if there are none."""

    rows: tuple[TaskRow, ...]
    next_page: str


def read_moment(text: str, where: str, now: datetime | None = None) -> datetime:
    """Return the time that a text gives: ISO 8601 (in the site's time zone, if it has none), or so long ago: 2h, 3d.

    Raises OperationRefused, naming ``where`` it was given.
    """
    now = now or timezone.now()
    try:
        if ago := _AGO.fullmatch(text.strip()):
            return now - timedelta(**{_UNITS[ago["unit"]]: int(ago["number"])})
        moment = parse_datetime(text.strip()) or datetime.fromisoformat(text.strip())
        moment = moment if timezone.is_aware(moment) else timezone.make_aware(moment)
        return moment.astimezone(UTC)  # in time: the years 1 and 9999 end elsewhere before they do here
    except (ValueError, OverflowError):
        raise OperationRefused(
            where, f"{text[:80]!r} is no time.", "Give it as 2026-11-24T08:00, or as 30m, 2h, 3d or 1w for so long ago."
        ) from None


def matching(chosen: TaskFilter) -> QuerySet[TaskRecord]:
    """Return the records that fit a filter, the newest first."""
    conditions: dict[str, object] = {
        "workflow": chosen.workflow,
        "task": chosen.task,
        "status__in": chosen.statuses,
        "enqueued_at__gte": chosen.since,
        "enqueued_at__lt": chosen.until,
        "error": chosen.error,
        "schedule": chosen.schedule,
    }
    given = {name: value for name, value in conditions.items() if value}
    if chosen.report_id is not None:
        given["subject_id"] = chosen.report_id
    return TaskRecord.objects.filter(**given).order_by("-enqueued_at", "-id")


def list_tasks(chosen: TaskFilter, limit: int = DEFAULT_LIMIT, page: str = "") -> Page:
    """Return tasks that fit a filter, the newest first. ``page`` is the ``next_page`` of the one before.

    Raises OperationRefused for a filter of names that there are not, or for a page that is none.
    """
    chosen.check()
    found = matching(chosen)
    if page:
        at, task_id = _read_page(page)
        found = found.filter(enqueued_at__lte=at).filter(Q(enqueued_at__lt=at) | Q(id__lt=task_id))
    rows = [row_of(record) for record in found.defer("payload", "result", "errors", "cause")[: limit + 1]]
    more = len(rows) > limit
    last = rows[limit - 1] if more else None
    return Page(tuple(rows[:limit]), f"{_iso(last.enqueued_at)},{last.id}" if last else "")


def row_of(record: TaskRecord) -> TaskRow:
    """Return a record as a row."""
    return TaskRow(
        id=record.pk,
        task=record.task,
        workflow=record.workflow,
        status=record.status,
        error=record.error,
        report_id=record.subject_id,
        schedule=record.schedule,
        attempt_of=record.attempt_of,
        enqueued_at=record.enqueued_at,
        started_at=record.started_at,
        finished_at=record.finished_at,
        redrive_count=record.redrive_count,
        redrivable_until=redrivable_until(record),
    )


def redrivable_until(record: TaskRecord) -> datetime | None:
    """Return until when AWS redrives an execution, None if it is not of a kind that it does; may be past."""
    if record.status not in UNSUCCESSFUL or not is_at_aws(record) or record.finished_at is None:
        return None
    return record.finished_at + timedelta(days=REDRIVABLE_DAYS)


def is_at_aws(record: TaskRecord) -> bool:
    """Return whether Step Functions knows the task's execution, or did."""
    return bool(record.execution_arn) and not record.execution_arn.startswith(LOCAL_ARN)


def nothing_matches(chosen: TaskFilter, what: str = "task") -> OperationRefused:
    """Return the refusal of a filter that no record fits, with what there is instead."""
    if chosen.is_empty:
        return OperationRefused(
            "executions", "no task was ever recorded here.", "See that DATABASE_URL is the right one."
        )
    errors = _errors_of(chosen) if chosen.error else ""
    remedy = f"Of that kind there are the errors {errors}." if errors else "Leave an option out, or go further back."
    return OperationRefused(chosen.words(), f"no {what} fits.", remedy)


def find_record(reference: str) -> TaskRecord:
    """Return the task of an id or of an execution's ARN. Raises OperationRefused."""
    return find_records([reference])[0]


def find_records(references: Sequence[str]) -> list[TaskRecord]:
    """Return the tasks of ids or ARNs, in their order, each once. Raises OperationRefused naming all there are not."""
    ids = {reference: _id_of(reference) for reference in references}
    found = TaskRecord.objects.in_bulk([task_id for task_id in set(ids.values()) if is_storable(task_id)])
    missing = [reference for reference, task_id in ids.items() if not _is_of(found.get(task_id), reference)]
    if missing:
        shown = [one if one and one.isprintable() else repr(one) for one in missing[:_NAMED_REFERENCES]]
        more = f" and {len(missing) - len(shown):,} more" if len(missing) > len(shown) else ""
        raise OperationRefused(
            ", ".join(shown) + more,
            "there is no such task.",
            "Give the id of a task or the ARN of its execution; manage.py executions list has them.",
        )
    return [found[task_id] for task_id in dict.fromkeys(ids.values())]


def records_of_report(report_id: int) -> list[TaskRecord]:
    """Return the tasks about a report, the newest first. Raises OperationRefused when there is none."""
    found = list(matching(TaskFilter(report_id=report_id)))
    if not found:
        raise nothing_matches(TaskFilter(report_id=report_id))
    return found


def attempts_of(record: TaskRecord) -> list[TaskRecord]:
    """Return every attempt of a record's task, itself among them, in their order."""
    first = record.attempt_of or record.pk
    return list(TaskRecord.objects.filter(Q(pk=first) | Q(attempt_of=first)).order_by("enqueued_at", "id"))


def attempts_of_each(records: Sequence[TaskRecord]) -> dict[str, list[TaskRecord]]:
    """Return the same of several records, by their ids, with one query. No payload is read before it is asked for."""
    first_of = {record.pk: record.attempt_of or record.pk for record in records}
    firsts = set(first_of.values())
    attempts: dict[str, list[TaskRecord]] = {first: [] for first in firsts}
    found = TaskRecord.objects.filter(Q(pk__in=firsts) | Q(attempt_of__in=firsts)).order_by("enqueued_at", "id")
    for attempt in found.defer("payload", "result", "errors", "cause"):
        attempts.setdefault(attempt.attempt_of or attempt.pk, []).append(attempt)
    return {task_id: attempts[first] for task_id, first in first_of.items()}


def _id_of(reference: str) -> str:
    """Return a task's id: an execution's name is one, and a name is the end of an ARN."""
    return reference.rpartition(":")[2] if reference.startswith("arn:") else reference


def _is_of(record: TaskRecord | None, reference: str) -> bool:
    """Return whether a record is what a reference means: an ARN is that of one account, Region and state machine."""
    if record is None:
        return False
    return not reference.startswith("arn:") or record.execution_arn in ("", reference)


def _read_page(page: str) -> tuple[datetime, str]:
    at, _, task_id = page.partition(",")
    try:
        moment = parse_datetime(at)
    except ValueError:
        moment = None
    if moment is None or not timezone.is_aware(moment) or not task_id or not is_storable(task_id):
        raise OperationRefused("--after", f"{page[:80]!r} is no page.", "Give what the list before ended with.")
    return moment, task_id


def _check_choice(where: str, given: str, choices: Iterable[str]) -> None:
    choices = list(choices)
    if given not in choices:
        raise OperationRefused(where, f"there is no {given[:80]!r}.", f"Choose one of {', '.join(choices)}.")


def _errors_of(chosen: TaskFilter) -> str:
    counted = matching(replace(chosen, error="")).exclude(error="").order_by().values("error").annotate(n=Count("id"))
    most = counted.order_by("-n", "error")[:_NAMED_ERRORS]
    return ", ".join(f"{row['error']} ({row['n']})" for row in most)


def _iso(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat() if moment else ""
