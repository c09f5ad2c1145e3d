"""Finds tasks: by a filter, in pages of which each costs the same, or by an id or ARN.

From the database alone, since Step Functions can be asked only a dozen times a second and the records follow its
events. A page is found by the time and id of the row before it, never by a number of rows to skip, and what fits is
counted up to a bound: both cost the same at row 50 and at row 500,000.
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
# As the condition of the index task_listed has it.
WITHOUT_SCHEDULED_SUCCESSES = Q(schedule="") | ~Q(status=TaskStatus.SUCCEEDED)


class NoSuchPage(OperationRefused):
    """A cursor is none of a list."""


@dataclass(frozen=True, kw_only=True)
class TaskFilter:
    """A filter of tasks; all given conditions must hold.

    ``since`` and ``until`` bound the time at which they were enqueued. ``errors`` and ``subject_ids`` are None, or
    those of which one has to fit; ``subject_ids`` may be a query. ``id_begins`` is a task's id or its beginning, which
    all attempts of one task share. ``redrivable``: only what AWS still redrives. ``hides_scheduled``: without the runs
    of schedules that succeeded, one each minute, unless somebody filtered by what names single tasks.
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

    @property
    def is_empty(self) -> bool:
        """True if every task matches."""
        return self == TaskFilter()

    def check(self) -> None:
        """Raise OperationRefused for a name that does not exist, naming those that do."""
        for where, texts in (
            ("--workflow", [self.workflow]),
            ("--task", [self.task]),
            ("--error", self.errors or ()),
            ("--schedule", [self.schedule]),
        ):
            if not all(map(is_storable, texts)):
                raise OperationRefused(where, "has a character that no record has.", "Leave it out.")
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

    def options(self) -> dict[str, str]:
        """Return it as the options of the command, as far as that has them."""
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
        """Return the records that fit, the newest first."""
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
            # The range is for the index, in whatever collation; LIKE is what decides.
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

    ``seconds`` is how long it ran, or has run until now. ``redrivable_until`` is None for what can never be redriven;
    ``days_left`` is None for that, 0 for what AWS redrives no more.
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
        """For how long AWS still redrives it."""
        return None if self.days_left is None else self.days_left * 86_400


@dataclass(frozen=True)
class TaskPage:
    """Some rows, the newest first. ``newer`` and ``older`` ask for the pages beside it, "" if there is none.

    ``count`` is of all that fit, at most COUNTED; ``is_more``: there are more than that.
    """

    rows: Sequence[TaskRow]
    newer: str
    older: str
    count: int
    is_more: bool


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


def search_tasks(chosen: TaskFilter, *, before: str = "", after: str = "", limit: int = PAGE_ROWS) -> TaskPage:
    """Return a page of the tasks that fit: the newest, or those before (newer) or after (older) a page's cursor.

    Raises OperationRefused for names that do not exist, NoSuchPage for a cursor that is none.
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
        after = ""  # the newest are fewer than a page: show the first page whole
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
    """Return the records after a cursor, in the order of a list. Raises OperationRefused for one that is none."""
    at, task_id = _read_cursor(cursor)
    return found.filter(enqueued_at__lte=at).filter(Q(enqueued_at__lt=at) | Q(id__lt=task_id))


def bounded_count(found: QuerySet[TaskRecord]) -> tuple[int, bool]:
    """Return how many there are, at most COUNTED, and whether there are more."""
    count = found.order_by()[: COUNTED + 1].count()
    return min(count, COUNTED), count > COUNTED


def cursor_of(record: TaskRecord) -> str:
    """Return the cursor of a record's row."""
    return f"{_iso(record.enqueued_at)},{record.pk}"


def values_of(column: str) -> list[str]:
    """Return the values that a column of the tasks has, "" left out, some hundred at the most."""
    with connection.cursor() as cursor:
        cursor.execute(statement_of_values(column), [_MAX_VALUES])
        return [value for (value,) in cursor.fetchall()]


def statement_of_values(column: str) -> str:
    """Return the statement that steps down a column's index, once for each value: however many tasks have it."""
    quote = connection.ops.quote_name
    name, table = quote(column), quote(TaskRecord._meta.db_table)
    least = f"SELECT MIN({name}) FROM {table} WHERE {name} <> ''"  # noqa: S608  names of ours, quoted
    return (
        f"WITH RECURSIVE found(value) AS ({least} UNION ALL "  # noqa: S608  the same
        f"SELECT ({least} AND {name} > found.value) FROM found WHERE found.value IS NOT NULL) "
        "SELECT value FROM found WHERE value IS NOT NULL LIMIT %s"
    )


def errors_called(name: str) -> list[str]:
    """Return the errors of a name, in capitals or not; those that hold a text, if it stands between stars."""
    wanted = name.lower()
    if len(wanted) > 2 and wanted.startswith("*") and wanted.endswith("*"):
        return [error for error in values_of("error") if wanted[1:-1] in error.lower()]
    return [error for error in values_of("error") if error.lower() == wanted]


def nothing_matches(chosen: TaskFilter, what: str = "task") -> OperationRefused:
    """Return the refusal of a filter that no record fits, with what there is instead."""
    if chosen.is_empty:
        return OperationRefused(
            "executions", "no task was ever recorded here.", "See that DATABASE_URL is the right one."
        )
    errors = _errors_of(chosen) if chosen.errors else ""
    remedy = f"Of that kind there are the errors {errors}." if errors else "Leave an option out, or go further back."
    options = " ".join(f"{name} {value}" for name, value in chosen.options().items())
    return OperationRefused(options, f"no {what} fits.", remedy)


def find_record(reference: str) -> TaskRecord:
    """Return the task of an id or of an execution's ARN. Raises OperationRefused."""
    return find_records([reference])[0]


def find_records(references: Sequence[str]) -> list[TaskRecord]:
    """Return the tasks of ids or ARNs, in their order, each once.

    Raises OperationRefused naming all that are missing.
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
            "Give the id of a task or the ARN of its execution; manage.py executions list has them.",
        )
    return [found[task_id] for task_id in dict.fromkeys(ids.values())]


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
    for attempt in found.defer(*LARGE_FIELDS):
        attempts.setdefault(attempt.attempt_of or attempt.pk, []).append(attempt)
    return {task_id: attempts[first] for task_id, first in first_of.items()}


def attempt_number(record: TaskRecord) -> int:
    """Return which attempt of its task a record is, from 1."""
    return split_attempt(record.pk)[1] if record.attempt_of else 1


def _id_of(reference: str) -> str:
    """Return a task's id: an execution's name is one, and a name is the end of an ARN."""
    return reference.rpartition(":")[2] if reference.startswith("arn:") else reference


def _is_of(record: TaskRecord | None, reference: str) -> bool:
    """Return whether a record is what a reference means: an ARN is that of one account, Region and state machine."""
    if record is None:
        return False
    return not reference.startswith("arn:") or record.execution_arn in ("", reference)


def _check_choice(where: str, given: str, choices: Iterable[str]) -> None:
    choices = list(choices)
    if given not in choices:
        raise OperationRefused(where, f"there is no {given[:80]!r}.", f"Choose one of {', '.join(choices)}.")


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
            _("page"), _("%(cursor)r is no page of the list.") % {"cursor": cursor[:80]}, _("Begin at the first page.")
        )
    return moment, task_id


def _iso(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat() if moment else ""
