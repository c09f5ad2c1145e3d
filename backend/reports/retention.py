"""Removes what is past its date: reports with their files, and records of tasks. Nothing under an evidence hold.

A report is past its date when both its own time and the time it came in are older than RETENTION_REPORT_DAYS, since
a telephone's clock may be years behind. It waits while a workflow is at work on it, and while a file is at work
that may turn out to be the same as one of its own: that one would take over its thumbnails, which are shared
by content.

In batches, each a transaction of its own. First the rows are locked, looked at once more and deleted, then the
objects, then the transaction is committed. A process that dies before the commit leaves every row, and so every
object that is still there can be found: the next sweep ends what this one began; a hold set before that keeps
rows whose files may be gone. The other order, rows committed first, would leave objects that nothing refers to.
"""

import logging
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, models, transaction
from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from qu_workflows.records.locks import take_turn
from qu_workflows.records.models import UNSUCCESSFUL, WAITING, TaskRecord, TaskStatus
from reports.files.storage import delete_objects
from reports.models import FileState, GuardReport, ReportFile, Thumbnail
from workflows.errors import StorageUnavailable

# A batch of reports has some 500 objects: one call of S3, and rows that are locked for a moment.
REPORTS_AT_ONCE = 50
RECORDS_AT_ONCE = 500
MAX_EXAMPLES = 10
MAX_FAILED_BATCHES = 3
# The function that runs this is stopped after 840 s; a batch under way has the rest.
BUDGET_SECONDS = 600
SHARE_OF_REPORTS = 0.75  # of that time: years of reports must not keep the records waiting for weeks
# What began earlier has ended, or can not be redriven any more: a redrive is possible for 14 days.
AT_WORK_DAYS = 15
# Fewer days are a mistake, such as years taken for days: what can still be redriven would be gone.
MIN_DAYS, MAX_DAYS = AT_WORK_DAYS, 36_500
UNFINISHED = (*WAITING, TaskStatus.RUNNING)
FINISHED = (TaskStatus.SUCCEEDED, *UNSUCCESSFUL)

logger = logging.getLogger(__name__)


@dataclass
class Swept:
    """What was removed, or would be with ``dry_run``: a task's return value, by these names.

    ``objects`` and ``bytes`` are those in the bucket that nothing else refers to. ``held`` counts the reports past
    their date that an evidence hold keeps. ``more``: the time was over first. ``examples`` are reports' ids.
    """

    dry_run: bool
    reports: int = 0
    files: int = 0
    objects: int = 0
    bytes: int = 0
    task_records: int = 0
    held: int = 0
    more: bool = False
    examples: list[int] = field(default_factory=list)

    def add(self, other: "Swept") -> None:
        """Count another batch in."""
        for name in ("reports", "files", "objects", "bytes", "task_records"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.examples = [*self.examples, *other.examples][:MAX_EXAMPLES]


def sweep(budget_seconds: float = BUDGET_SECONDS) -> dict[str, Any]:
    """Remove what is past its date and return a ``Swept`` as JSON; with RETENTION_DRY_RUN only count it.

    Begins no batch after ``budget_seconds``. Safe to repeat, and for several at once. Raises StorageUnavailable
    when objects could not be deleted: their reports are still there, and everything else went on. Raises
    ImproperlyConfigured for days that can not be meant, with nothing removed, and RuntimeError in a transaction:
    rolled back later, it would bring back rows whose objects are gone.
    """
    now, begun = timezone.now(), time.monotonic()
    for name in ("RETENTION_REPORT_DAYS", "RETENTION_TASK_DAYS"):
        _limit(name, now)  # either is refused before anything goes by the other
    swept = Swept(bool(settings.RETENTION_DRY_RUN), held=past_reports(now).filter(evidence_hold=True).count())
    if swept.dry_run:
        swept.add(_counted(now))
    else:
        refusals = _remove_reports(now, begun + SHARE_OF_REPORTS * budget_seconds, swept)
        _remove_records(now, begun + budget_seconds, swept)
        _raise_for(refusals, swept)
    logger.info("retention sweep: %s", swept)
    return asdict(swept)


def past_reports(now: datetime) -> QuerySet[GuardReport]:
    """Return the reports past their date, held ones among them; in use or not. With RETENTION_REPORT_DAYS 0, none."""
    limit = _limit("RETENTION_REPORT_DAYS", now)
    if limit is None:
        return GuardReport.objects.none()
    return GuardReport.objects.filter(report_datetime__lt=limit, created_at__lt=limit)


def removable_reports(now: datetime) -> QuerySet[GuardReport]:
    """Return those that a sweep removes: neither held nor at work, the oldest first."""
    recently = now - timedelta(days=AT_WORK_DAYS)
    tasks = TaskRecord.objects.filter(subject_id=OuterRef("pk"), status__in=UNFINISHED, enqueued_at__gte=recently)
    at_work = ReportFile.objects.filter(status=FileState.PENDING, report__created_at__gte=recently)
    maybe_equal = ReportFile.objects.filter(
        report=OuterRef("pk"), thumbnails__isnull=False, size_bytes__in=at_work.values("size_bytes")
    )
    reports = past_reports(now).filter(~Exists(tasks), ~Exists(maybe_equal), evidence_hold=False)
    return reports.order_by("report_datetime", "id")


def removable_records(now: datetime) -> QuerySet[TaskRecord]:
    """Return the records of tasks that ended before RETENTION_TASK_DAYS, about no report under hold; the oldest first.

    One that has not ended is never among them. With RETENTION_TASK_DAYS 0, none.
    """
    limit = _limit("RETENTION_TASK_DAYS", now)
    if limit is None:
        return TaskRecord.objects.none()
    held = GuardReport.objects.filter(pk=OuterRef("subject_id"), evidence_hold=True)
    # The time of enqueueing, too: it is what the index has, and it is never the later one.
    ended = TaskRecord.objects.filter(status__in=FINISHED, enqueued_at__lt=limit, finished_at__lt=limit)
    return ended.filter(~Exists(held)).order_by("enqueued_at", "id")


def _limit(setting: str, now: datetime) -> datetime | None:
    """Return the moment that the setting's days reach back to; None stands for ever.

    Functions start without the system checks, so days that can not be meant are refused here as well.
    """
    days: int = getattr(settings, setting)
    if days == 0:
        return None
    if not MIN_DAYS <= days <= MAX_DAYS:
        raise ImproperlyConfigured(
            f"{setting} is {days}. Set {setting} to {MIN_DAYS} to {MAX_DAYS} days, or to 0 to keep for ever. "
            "Nothing was removed."
        )
    return now - timedelta(days=days)


def _counted(now: datetime) -> Swept:
    reports = removable_reports(now)
    gone = reports.order_by().values("pk")
    files = ReportFile.objects.filter(report__in=gone)
    thumbnails = Thumbnail.objects.filter(report_file__report__in=gone)
    kept_files = ReportFile.objects.filter(file=OuterRef("file")).exclude(report__in=gone)
    kept_thumbnails = Thumbnail.objects.filter(key=OuterRef("key")).exclude(report_file__report__in=gone)
    originals, small = _distinct(files, "file", kept_files), _distinct(thumbnails, "key", kept_thumbnails)
    return Swept(
        dry_run=True,
        reports=reports.count(),
        files=files.count(),
        objects=originals[0] + small[0],
        bytes=originals[1] + small[1],
        task_records=removable_records(now).count(),
        examples=list(reports.values_list("pk", flat=True)[:MAX_EXAMPLES]),
    )


def _distinct[RowT: models.Model](rows: QuerySet[RowT], key: str, kept: QuerySet[RowT]) -> tuple[int, int]:
    """Return how many objects only these rows refer to, and their bytes."""
    by_key = rows.filter(~Exists(kept)).order_by().values(key).annotate(size=Max("size_bytes"))
    found = by_key.aggregate(count=Count(key), bytes=Sum("size"))
    return found["count"], found["bytes"] or 0


def _remove_reports(now: datetime, deadline: float, swept: Swept) -> list[StorageUnavailable]:
    """Remove reports batch by batch, and return why batches were left: each then keeps its rows."""
    refusals: list[StorageUnavailable] = []
    for ids in _batches(removable_reports(now), "report_datetime", REPORTS_AT_ONCE):
        if time.monotonic() >= deadline:
            swept.more = True
            return refusals
        try:
            with transaction.atomic(durable=True):
                removed = _remove_batch(now, ids)
        except StorageUnavailable as error:
            logger.exception("reports %d to %d stay", ids[0], ids[-1])
            refusals.append(error)
            if len(refusals) == MAX_FAILED_BATCHES:  # others would go the same way
                swept.more = True
                return refusals
        else:
            logger.info("removed: %s", removed)
            swept.add(removed)
    return refusals


def _remove_batch(now: datetime, ids: Collection[int]) -> Swept:
    """Remove those of the reports that may still go, once they are locked; one that is locked is at work and stays."""
    take_turn("retention")  # two sweeps would each keep, for the other's sake, what both refer to
    locked = removable_reports(now).filter(pk__in=ids).select_for_update(skip_locked=_can_skip_locked())
    gone = [report.pk for report in locked]
    files = list(ReportFile.objects.filter(report__in=gone).prefetch_related("thumbnails"))
    sizes = {file.key: file.size_bytes for file in files if file.file.name}
    sizes |= {made.key: made.size_bytes for file in files for made in file.thumbnails.all()}
    unused = sizes.keys() - keys_in_use(sizes, but_for=gone)
    GuardReport.objects.filter(pk__in=gone).delete()
    connection.check_constraints()  # what the database would refuse at the commit, it refuses now
    delete_objects(sorted(unused))
    return Swept(
        dry_run=False,
        reports=len(gone),
        files=len(files),
        objects=len(unused),
        bytes=sum(sizes[key] for key in unused),
        examples=gone[:MAX_EXAMPLES],
    )


def keys_in_use(keys: Collection[str], but_for: Collection[int]) -> set[str]:
    """Return those of the whole keys that a file or a thumbnail of any other report refers to."""
    names = [key.removeprefix(settings.MEDIA_PREFIX) for key in keys if key.startswith(settings.MEDIA_PREFIX)]
    files = ReportFile.objects.filter(file__in=names).exclude(report__in=but_for).order_by()
    thumbnails = Thumbnail.objects.filter(key__in=keys).exclude(report_file__report__in=but_for).order_by()
    return {file.key for file in files.only("file")} | set(thumbnails.values_list("key", flat=True))


def _remove_records(now: datetime, deadline: float, swept: Swept) -> None:
    for ids in _batches(removable_records(now), "enqueued_at", RECORDS_AT_ONCE):
        if time.monotonic() >= deadline:
            swept.more = True
            return
        with transaction.atomic(durable=True):
            count = _remove_record_batch(now, ids)
        logger.info("removed: %d task records, from %s on", count, ids[0])
        swept.task_records += count


def _remove_record_batch(now: datetime, ids: Collection[str]) -> int:
    records = removable_records(now).filter(pk__in=ids).select_for_update(skip_locked=_can_skip_locked())
    about = dict(records.values_list("pk", "subject_id"))
    # Locked as well, so that a hold is either seen here or set after the records have gone.
    reports = GuardReport.objects.filter(pk__in={pk for pk in about.values() if pk})
    free = reports.filter(evidence_hold=False).select_for_update(skip_locked=_can_skip_locked())
    kept = set(reports.values_list("pk", flat=True)) - set(free.values_list("pk", flat=True))
    return TaskRecord.objects.filter(pk__in=[pk for pk, report_id in about.items() if report_id not in kept]).delete()[
        0
    ]


def _batches(rows: QuerySet[Any], moment: str, size: int) -> Iterator[Sequence[Any]]:
    """Yield the ids of rows that are ordered by a moment and their ids; each is looked for once the last was done."""
    after: tuple[datetime, Any] | None = None
    while True:
        left = rows
        if after is not None:
            later = Q(**{f"{moment}__gt": after[0]}) | Q(**{moment: after[0], "pk__gt": after[1]})
            left = rows.filter(later, **{f"{moment}__gte": after[0]})  # said twice: this one an index can use
        found = list(left.values_list("pk", F(moment))[:size])
        if not found:
            return
        yield [pk for pk, _ in found]
        after = (found[-1][1], found[-1][0])


def _can_skip_locked() -> bool:
    return connection.features.has_select_for_update_skip_locked


def _raise_for(refusals: Sequence[StorageUnavailable], swept: Swept) -> None:
    if refusals:
        first = refusals[0]
        problem = f"{first.problem} {len(refusals)} batches of reports stay; what else could be removed is: {swept}."
        raise StorageUnavailable(first.where, problem, first.remedy)
