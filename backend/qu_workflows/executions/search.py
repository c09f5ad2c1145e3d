"""Looks up tasks by filter, id or ARN, in the database alone.

Step Functions is rate-limited to about 12 requests per second, and the records follow its events. Pages use keyset
pagination and counts are bounded, so that both cost the same at row 50 and at row 500,000.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from qu_workflows.executions.hooks import registered_hooks
from qu_workflows.executions.redrivability import redrivable, redrivable_until
from qu_workflows.protocol.execution_names import split_attempt
from qu_workflows.protocol.project import registered_project
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.json_values import is_storable
from qu_workflows.records.models import TaskRecord, TaskStatus

COUNTED = 10_000
PAGE_ROWS = 50
_AGO = re.compile(r"(?P<number>\d{1,6})\s*(?P<unit>[smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_NAMED_ERRORS = 5
_NAMED_REFERENCES = 20
_MAX_VALUES = 500
_LAST = "z" * 8  # after every letter that an id may have, in every collation
LARGE_FIELDS = ("payload", "result", "errors", "cause")
# The condition of the index task_listed.
WITHOUT_SCHEDULED_SUCCESSES = Q(schedule="") | ~Q(status=TaskStatus.SUCCEEDED)


class NoSuchPage(OperationRefused):
    """The cursor is invalid."""


@dataclass(frozen=True, kw_only=True)
class TaskFilter:
    """A filter of tasks; all given conditions must match.

    ``since`` and ``until`` bound the time of enqueueing. ``errors`` and ``subject_ids`` are None or the accepted
    values; ``subject_ids`` may be a query. ``id_begins`` is a prefix of an id, which all attempts of a task share.
    ``hides_scheduled`` excludes successful runs of schedules, one each minute, unless the filter names single tasks.
    """

    workflow: str = ""
    task: str = ""
    statuses: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    errors: Sequence[str] | None = None
    subject_ids: Sequence[int] | QuerySet[Any, int] | None = None
    schedule: str = ""
    id_begins: str = ""
    redrivable: bool = False
    hides_scheduled: bool = False

    def check(self) -> None:
        """Raise OperationRefused for an unknown name, with the known ones."""
        for where, texts in (
            ("--workflow", [self.workflow]),
            ("--task", [self.task]),
            ("--error", self.errors or ()),
            ("--schedule", [self.schedule]),
        ):
            if not all(map(is_storable, texts)):
                raise OperationRefused(where, "has a character that no record can have.", "Remove it.")
        if self.workflow:
            _check_choice("--workflow", self.workflow, registered_project().workflows)
        for status in self.statuses:
            _check_choice("--status", status, TaskStatus.values)
        if self.task and not TaskRecord.objects.filter(task=self.task).exists():
            _check_choice("--task", self.task, sorted(registered_project().catalog))
        if self.schedule and not TaskRecord.objects.filter(schedule=self.schedule).exists():
            _check_choice("--schedule", self.schedule, sorted(registered_project().schedules_by_name))
        if self.since and self.until and self.since >= self.until:
            raise OperationRefused("--since", "is not before --until.", "Swap the two.")

    def options(self) -> dict[str, str]:
        """Return the filter as options of the command, as far as it supports them."""
        subject_ids = self.subject_ids if isinstance(self.subject_ids, Sequence) else ()
        given = {
            "--workflow": self.workflow,
            "--task": self.task,
            "--status": " ".join(self.statuses),
            "--since": _iso(self.since),
            "--until": _iso(self.until),
            "--error": " ".join(self.errors or ()),
            f"--{registered_hooks().subject}": " ".join(map(str, subject_ids)),
            "--schedule": self.schedule,
        }
        return {name: value for name, value in given.items() if value}

    def records(self) -> QuerySet[TaskRecord]:
        """Return the matching records, newest first."""
        exact: dict[str, object] = {
            "workflow": self.workflow,
            "task": self.task,
            "schedule": self.schedule,
            "status__in": self.statuses,
            "enqueued_at__gte": self.since,
            "enqueued_at__lt": self.until,
        }
        members = {"error__in": self.errors, "subject_id__in": self.subject_ids}
        given = {name: value for name, value in exact.items() if value}
        given |= {name: value for name, value in members.items() if value is not None}
        if self.id_begins:
            # The range uses the index in any collation; LIKE decides.
            given |= {"id__gte": self.id_begins, "id__lte": self.id_begins + _LAST, "id__startswith": self.id_begins}
        found = TaskRecord.objects.filter(**given)
        if self.redrivable:
            found = found.filter(redrivable(timezone.now()))
        if self._is_to_hide_scheduled:
            found = found.filter(WITHOUT_SCHEDULED_SUCCESSES)
        return found.order_by("-enqueued_at", "-id")

    @property
    def _is_to_hide_scheduled(self) -> bool:
        names_tasks = self.id_begins or self.schedule or self.errors is not None or self.subject_ids is not None
        may_have_succeeded = not self.redrivable and (not self.statuses or TaskStatus.SUCCEEDED in self.statuses)
        return self.hides_scheduled and not names_tasks and may_have_succeeded


@dataclass(frozen=True)
class TaskRow:
    """One task in a list.

    ``seconds`` is its duration, until now while it runs. ``redrivable_until`` and ``days_left`` are None if it can
    never be redriven; ``days_left`` is 0 once it is too late.
    """

    id: str
    task: str
    workflow: str
    status: str
    error: str
    subject_id: int | None
    schedule: str
    attempt_of: str
    attempt: int
    enqueued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    redrive_count: int
    redrivable_until: datetime | None
    days_left: float | None

    @property
    def seconds_left(self) -> float | None:
        """The time left to redrive it."""
        return None if self.days_left is None else self.days_left * 86_400


@dataclass(frozen=True)
class TaskPage:
    """A page of rows, newest first.

    ``newer`` and ``older`` are cursors of the adjacent pages, "" at the ends.
    ``count`` counts all matches, at most COUNTED; ``is_more`` if there are more.
    """

    rows: Sequence[TaskRow]
    newer: str
    older: str
    count: int
    is_more: bool


def read_moment(text: str, where: str, now: datetime | None = None) -> datetime:
    """Parse ISO 8601, by default in the site's time zone, or a time ago (3d).

    Raises OperationRefused, naming ``where``.
    """
    now = now or timezone.now()
    try:
        if ago := _AGO.fullmatch(text.strip()):
            return now - timedelta(**{_UNITS[ago["unit"]]: int(ago["number"])})
        moment = parse_datetime(text.strip()) or datetime.fromisoformat(text.strip())
        moment = moment if timezone.is_aware(moment) else timezone.make_aware(moment)
        return moment.astimezone(UTC)  # here, to catch an overflow in the years 1 and 9999
    except (ValueError, OverflowError):
        remedy = "Use a time such as 2026-11-24T08:00, or 30m, 2h, 3d or 1w for a time ago."
        raise OperationRefused(where, f"{text[:80]!r} is not a time.", remedy) from None


def search_tasks(chosen: TaskFilter, *, before: str = "", after: str = "", limit: int = PAGE_ROWS) -> TaskPage:
    """Return a page of matching tasks: the newest, or those around a cursor.

    ``before`` is for newer tasks, ``after`` for older ones.
    Raises OperationRefused for unknown names, NoSuchPage for an invalid cursor.
    """
    chosen.check()
    found = chosen.records()
    count, is_more = bounded_count(found)
    found = found.defer(*LARGE_FIELDS)
    if before:
        at, task_id = _read_cursor(before)
        newer = found.filter(enqueued_at__gte=at).filter(Q(enqueued_at__gt=at) | Q(id__gt=task_id))
        rows = list(newer.order_by("enqueued_at", "id")[: limit + 1])[::-1]
        if len(rows) > limit:
            return _page(rows[1:], count, is_more, newer=True, older=True)
        after = ""  # fewer than a page are newer: show the whole first page
    records = list((older_than(found, after) if after else found)[: limit + 1])
    return _page(records[:limit], count, is_more, newer=bool(after), older=len(records) > limit)


def row_of(record: TaskRecord, now: datetime | None = None) -> TaskRow:
    """Return a record as a row of a list."""
    now = now or timezone.now()
    until = redrivable_until(record)
    started_at, ended_at = record.started_at, record.finished_at or now
    return TaskRow(
        id=record.pk,
        task=record.task,
        workflow=record.workflow,
        status=record.status,
        error=record.error,
        subject_id=record.subject_id,
        schedule=record.schedule,
        attempt_of=record.attempt_of,
        attempt=attempt_number(record),
        enqueued_at=record.enqueued_at,
        started_at=started_at,
        finished_at=record.finished_at,
        seconds=(ended_at - started_at).total_seconds() if started_at else None,
        redrive_count=record.redrive_count,
        redrivable_until=until,
        days_left=None if until is None else max(0.0, (until - now).total_seconds() / 86_400),
    )


def older_than(found: QuerySet[TaskRecord], cursor: str) -> QuerySet[TaskRecord]:
    """Return the records after a cursor. Raises NoSuchPage if it is invalid."""
    at, task_id = _read_cursor(cursor)
    return found.filter(enqueued_at__lte=at).filter(Q(enqueued_at__lt=at) | Q(id__lt=task_id))


def bounded_count(found: QuerySet[TaskRecord]) -> tuple[int, bool]:
    """Count records, at most COUNTED; return whether there are more."""
    count = found.order_by()[: COUNTED + 1].count()
    return min(count, COUNTED), count > COUNTED


def cursor_of(record: TaskRecord) -> str:
    """Return the cursor of a record's row."""
    return f"{_iso(record.enqueued_at)},{record.pk}"


def values_of(column: str) -> list[str]:
    """Return the distinct values of a column, except "", at most ``_MAX_VALUES``."""
    with connection.cursor() as cursor:
        cursor.execute(statement_of_values(column), [_MAX_VALUES])
        return [value for (value,) in cursor.fetchall()]


def statement_of_values(column: str) -> str:
    """Return SQL that steps through a column's index, one read per distinct value."""
    quote = connection.ops.quote_name
    name, table = quote(column), quote(TaskRecord._meta.db_table)
    least = f"SELECT MIN({name}) FROM {table} WHERE {name} <> ''"  # noqa: S608  names of ours, quoted
    return (
        f"WITH RECURSIVE found(value) AS ({least} UNION ALL "  # noqa: S608  the same
        f"SELECT ({least} AND {name} > found.value) FROM found WHERE found.value IS NOT NULL) "
        "SELECT value FROM found WHERE value IS NOT NULL LIMIT %s"
    )


def errors_called(name: str) -> list[str]:
    """Return the errors of a name, case-insensitive; ``*text*`` matches errors that contain it."""
    wanted = name.lower()
    if len(wanted) > 2 and wanted.startswith("*") and wanted.endswith("*"):
        return [error for error in values_of("error") if wanted[1:-1] in error.lower()]
    return [error for error in values_of("error") if error.lower() == wanted]


def nothing_matches(chosen: TaskFilter, what: str = "task") -> OperationRefused:
    """Return the error for a filter without matches, with the errors that there are."""
    if chosen == TaskFilter():
        return OperationRefused("executions", "this database has no tasks.", "Check DATABASE_URL.")
    errors = _errors_of(chosen) if chosen.errors else ""
    remedy = f"Other errors that match: {errors}." if errors else "Remove an option, or start earlier."
    options = " ".join(f"{name} {value}" for name, value in chosen.options().items())
    return OperationRefused(options, f"no {what} matches.", remedy)


def find_record(reference: str) -> TaskRecord:
    """Return the task of an id or execution ARN. Raises OperationRefused."""
    return find_records([reference])[0]


def find_records(references: Sequence[str]) -> list[TaskRecord]:
    """Return the tasks of ids or ARNs in order, without duplicates.

    Raises OperationRefused that names all missing ones.
    """
    ids = {reference: _id_of(reference) for reference in references}
    found = TaskRecord.objects.in_bulk([task_id for task_id in set(ids.values()) if is_storable(task_id)])
    missing = [reference for reference, task_id in ids.items() if not _is_of(found.get(task_id), reference)]
    if missing:
        shown = [one if one and one.isprintable() else repr(one) for one in missing[:_NAMED_REFERENCES]]
        more = f" and {len(missing) - len(shown):,} more" if len(missing) > len(shown) else ""
        raise OperationRefused(
            ", ".join(shown) + more,
            "there is no such task.",
            "Use the id of a task or the ARN of its execution, from manage.py executions list.",
        )
    return [found[task_id] for task_id in dict.fromkeys(ids.values())]


def attempts_of(record: TaskRecord) -> list[TaskRecord]:
    """Return all attempts of a record's task in order, including itself."""
    first = record.attempt_of or record.pk
    return list(TaskRecord.objects.filter(Q(pk=first) | Q(attempt_of=first)).order_by("enqueued_at", "id"))


def attempts_of_each(records: Sequence[TaskRecord]) -> dict[str, list[TaskRecord]]:
    """Return the attempts of several records by id, with one query and without large fields."""
    first_of = {record.pk: record.attempt_of or record.pk for record in records}
    firsts = set(first_of.values())
    attempts: dict[str, list[TaskRecord]] = {first: [] for first in firsts}
    found = TaskRecord.objects.filter(Q(pk__in=firsts) | Q(attempt_of__in=firsts)).order_by("enqueued_at", "id")
    for attempt in found.defer(*LARGE_FIELDS):
        attempts.setdefault(attempt.attempt_of or attempt.pk, []).append(attempt)
    return {task_id: attempts[first] for task_id, first in first_of.items()}


def attempt_number(record: TaskRecord) -> int:
    """Return the number of a record's attempt, from 1."""
    return split_attempt(record.pk)[1] if record.attempt_of else 1


def _id_of(reference: str) -> str:
    """Return a task's id, which is the execution's name and the end of its ARN."""
    return reference.rpartition(":")[2] if reference.startswith("arn:") else reference


def _is_of(record: TaskRecord | None, reference: str) -> bool:
    """Return whether a record matches a reference; an ARN must match in full."""
    return record is not None and (not reference.startswith("arn:") or record.execution_arn in ("", reference))


def _check_choice(where: str, given: str, choices: Iterable[str]) -> None:
    choices = list(choices)
    if given not in choices:
        raise OperationRefused(where, f"{given[:80]!r} does not exist.", f"Use one of {', '.join(choices)}.")


def _errors_of(chosen: TaskFilter) -> str:
    found = replace(chosen, errors=None).records().exclude(error="").order_by()
    most = found.values("error").annotate(n=Count("id")).order_by("-n", "error")[:_NAMED_ERRORS]
    return ", ".join(f"{row['error']} ({row['n']})" for row in most)


def _page(records: Sequence[TaskRecord], count: int, is_more: bool, *, newer: bool, older: bool) -> TaskPage:
    now = timezone.now()
    return TaskPage(
        rows=tuple(row_of(record, now) for record in records),
        newer=cursor_of(records[0]) if newer and records else "",
        older=cursor_of(records[-1]) if older and records else "",
        count=count,
        is_more=is_more,
    )


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    at, _comma, task_id = cursor.partition(",")
    try:
        moment = parse_datetime(at)
    except ValueError:
        moment = None
    if moment is None or not timezone.is_aware(moment) or not (task_id and is_storable(task_id)):
        raise NoSuchPage(
            _("page"),
            _("%(cursor)r is not a page of the list.") % {"cursor": cursor[:80]},
            _("Start at the first page."),
        )
    return moment, task_id


def _iso(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat() if moment else ""
