"""Tasks in pages, by everything that a person may look for, however many there are.

A page is found by the time and id of the row before it, never by a number of rows to skip, and what fits is counted
up to a bound: both cost the same at row 50 and at row 500,000.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from qu_workflows.executions.queries import LOCAL_ARN, DaysLeft, TaskFilter, matching, row_of
from qu_workflows.executions.step_functions import REDRIVABLE_DAYS
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.protocol.task_ids import split_attempt
from qu_workflows.records.json_values import is_storable
from qu_workflows.records.models import UNSUCCESSFUL, TaskRecord, TaskStatus

COUNTED = 10_000
PAGE_ROWS = 50
_MAX_VALUES = 500
_LAST = "z" * 8  # after every letter that an id may have, in every collation
_ROW = (
    "id",
    "task",
    "workflow",
    "status",
    "error",
    "subject_id",
    "schedule",
    "attempt_of",
    "enqueued_at",
    "started_at",
    "finished_at",
    "redrive_count",
    "execution_arn",
)


@dataclass(frozen=True, kw_only=True)
class TaskSearch:
    """Which tasks: those that fit everything given.

    ``id_begins`` is a task's id or its beginning, which all attempts of one task share. ``errors`` and ``report_ids``
    are None, or those of which one has to fit; ``report_ids`` may be a query. ``redrivable``: only what AWS still
    redrives. ``scheduled``: also the runs of schedules that succeeded, one each minute, which a list does without
    unless it is of one schedule, or of what somebody searched for.
    """

    filter: TaskFilter = field(default_factory=TaskFilter)
    id_begins: str = ""
    errors: Sequence[str] | None = None
    report_ids: Sequence[int] | QuerySet[Any, int] | None = None
    redrivable: bool = False
    scheduled: bool = False

    @property
    def is_narrow(self) -> bool:
        """Whether somebody searched for something, so that nothing of it may be hidden."""
        return bool(self.id_begins or self.filter.schedule) or not (self.errors is None and self.report_ids is None)


@dataclass(frozen=True)
class ListedTask(DaysLeft):
    """One row.

    ``seconds`` is how long it ran, or has run until now. ``days_left`` is 0 for what AWS redrives no more, None for
    what it never did.
    """

    id: str
    task: str
    workflow: str
    status: str
    error: str
    report_id: int | None
    schedule: str
    attempt: int
    redrive_count: int
    enqueued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    days_left: float | None


@dataclass(frozen=True)
class TaskPage:
    """Some rows, the newest first. ``newer`` and ``older`` ask for the pages beside it, "" if there is none.

    ``count`` is of all that fit, at most COUNTED; ``is_more``: there are more than that.
    """

    rows: Sequence[ListedTask]
    newer: str
    older: str
    count: int
    is_more: bool


def search_tasks(search: TaskSearch, *, before: str = "", after: str = "", limit: int = PAGE_ROWS) -> TaskPage:
    """Return a page of the tasks that fit: the newest, or those before (newer) or after (older) a page's cursor.

    Raises OperationRefused for names that there are not, or for a cursor that is none.
    """
    search.filter.check()
    found = found_by(search)
    count, is_more = bounded_count(found)
    if before:
        rows = _rows_before(found, before, limit)
        if len(rows) > limit:
            return _page(rows[1:], count, is_more, newer=True, older=True)
        after = ""  # the newest are fewer than a page: show the first page whole
    records = list((older_than(found, after) if after else found).only(*_ROW)[: limit + 1])
    return _page(records[:limit], count, is_more, newer=bool(after), older=len(records) > limit)


def found_by(search: TaskSearch) -> QuerySet[TaskRecord]:
    """Return the records that fit, the newest first."""
    found = matching(search.filter)
    if search.id_begins:
        # The range is for the index, in whatever collation; LIKE is what decides.
        begins = search.id_begins
        found = found.filter(id__gte=begins, id__lte=begins + _LAST, id__startswith=begins)
    if search.errors is not None:
        found = found.filter(error__in=search.errors)
    if search.report_ids is not None:
        found = found.filter(subject_id__in=search.report_ids)
    if search.redrivable:
        found = found.filter(is_redrivable(timezone.now()))
    if not (search.scheduled or search.is_narrow) and _may_hold_successes(search):
        found = found.filter(WITHOUT_SCHEDULED_SUCCESSES)
    return found


# As the condition of the index task_listed has it.
WITHOUT_SCHEDULED_SUCCESSES = Q(schedule="") | ~Q(status=TaskStatus.SUCCEEDED)


def is_at_step_functions() -> Q:
    """Return the condition that ``queries.is_at_aws`` is of one record."""
    return ~Q(execution_arn="") & ~Q(execution_arn__startswith=LOCAL_ARN)


def is_redrivable(now: datetime) -> Q:
    """Return the condition that ``redriving.why_not_redrivable`` is of one record."""
    since = now - timedelta(days=REDRIVABLE_DAYS)
    return Q(status__in=UNSUCCESSFUL, finished_at__gt=since) & is_at_step_functions()


def older_than(found: QuerySet[TaskRecord], cursor: str) -> QuerySet[TaskRecord]:
    """Return the records after a cursor, in the order of a list. Raises OperationRefused for one that is none."""
    at, task_id = _read_cursor(cursor)
    return found.filter(enqueued_at__lte=at).filter(Q(enqueued_at__lt=at) | Q(id__lt=task_id))


def bounded_count(found: QuerySet[TaskRecord]) -> tuple[int, bool]:
    """Return how many there are, at most COUNTED, and whether there are more."""
    count = found.order_by()[: COUNTED + 1].count()
    return min(count, COUNTED), count > COUNTED


def cursor_of(enqueued_at: datetime, task_id: str) -> str:
    """Return the cursor of a row."""
    return f"{enqueued_at.astimezone(UTC).isoformat()},{task_id}"


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


def _may_hold_successes(search: TaskSearch) -> bool:
    statuses = search.filter.statuses
    return not search.redrivable and (not statuses or TaskStatus.SUCCEEDED in statuses)


def _rows_before(found: QuerySet[TaskRecord], cursor: str, limit: int) -> list[TaskRecord]:
    at, task_id = _read_cursor(cursor)
    newer = found.filter(enqueued_at__gte=at).filter(Q(enqueued_at__gt=at) | Q(id__gt=task_id))
    return list(newer.only(*_ROW).order_by("enqueued_at", "id")[: limit + 1])[::-1]


def _page(records: Sequence[TaskRecord], count: int, is_more: bool, *, newer: bool, older: bool) -> TaskPage:
    now = timezone.now()
    return TaskPage(
        rows=tuple(listed(record, now) for record in records),
        newer=cursor_of(records[0].enqueued_at, records[0].pk) if newer and records else "",
        older=cursor_of(records[-1].enqueued_at, records[-1].pk) if older and records else "",
        count=count,
        is_more=is_more,
    )


def listed(record: TaskRecord, now: datetime) -> ListedTask:
    """Return a record as a row of the list."""
    row = row_of(record)
    days = row.days_left(now)
    return ListedTask(
        id=row.id,
        task=row.task,
        workflow=row.workflow,
        status=row.status,
        error=row.error,
        report_id=row.report_id,
        schedule=row.schedule,
        attempt=split_attempt(row.id)[1] if row.attempt_of else 1,
        redrive_count=row.redrive_count,
        enqueued_at=row.enqueued_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        seconds=row.seconds(now),
        days_left=None if days is None else max(days, 0.0),
    )


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    at, _comma, task_id = cursor.partition(",")
    try:
        moment = parse_datetime(at)
    except ValueError:
        moment = None
    if moment is None or not timezone.is_aware(moment) or not (task_id and is_storable(task_id)):
        raise OperationRefused(
            _("page"), _("%(cursor)r is no page of the list.") % {"cursor": cursor[:80]}, _("Begin at the first page.")
        )
    return moment, task_id
