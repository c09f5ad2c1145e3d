"""Removes reports, their files and task records after their retention period, in small batches.

Objects that other reports refer to stay, and so do reports under an evidence hold or in processing.
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

from qu_workflows.records.models import UNSUCCESSFUL, WAITING, TaskRecord, TaskStatus
from qu_workflows.records.queries import take_turn
from reports.files.storage import delete_objects
from reports.models import FileState, GuardReport, ReportFile, Thumbnail
from workflows.errors import StorageUnavailable

# A batch of reports has about 500 objects: one request to S3, and a short lock.
REPORTS_AT_ONCE = 50
RECORDS_AT_ONCE = 500
MAX_EXAMPLES = 10
MAX_FAILED_BATCHES = 3
# The function times out after 840 s; the last batch has the rest.
BUDGET_SECONDS = 600
SHARE_OF_REPORTS = 0.75  # of that time: a backlog of reports must not delay the records
# Older executions have ended and cannot be redriven: a redrive is possible for 14 days.
AT_WORK_DAYS = 15
# Fewer days are a mistake: they would remove reports that can still be redriven.
MIN_DAYS, MAX_DAYS = AT_WORK_DAYS, 36_500
UNFINISHED = (*WAITING, TaskStatus.RUNNING)
FINISHED = (TaskStatus.SUCCEEDED, *UNSUCCESSFUL)

logger = logging.getLogger(__name__)


@dataclass
class Swept:
    """The counts of removed rows and objects: the return value of the task.

    ``held`` counts expired reports that an evidence hold keeps. ``more``: the time was over before the end.
    ``examples`` are ids of reports. With ``dry_run``, the counts are of rows that would be removed.
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
        """Add the counts of a batch."""
        for name in ("reports", "files", "objects", "bytes", "task_records"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.examples = [*self.examples, *other.examples][:MAX_EXAMPLES]


def sweep(budget_seconds: float = BUDGET_SECONDS) -> dict[str, Any]:
    """Remove expired rows and return a ``Swept`` as JSON; with RETENTION_DRY_RUN only count them.

    Starts no batch after ``budget_seconds``. Safe to retry and to run concurrently. Raises StorageUnavailable at the
    end if objects could not be deleted: their reports stay. Raises ImproperlyConfigured for invalid days, and
    RuntimeError in a transaction, whose rollback would restore rows without their objects.
    """
    now, begun = timezone.now(), time.monotonic()
    for name in ("RETENTION_REPORT_DAYS", "RETENTION_TASK_DAYS"):
        _limit(name, now)  # both are validated before any removal
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
    """Return expired reports, including held and inactive ones; none with RETENTION_REPORT_DAYS 0."""
    limit = _limit("RETENTION_REPORT_DAYS", now)
    if limit is None:
        return GuardReport.objects.none()
    return GuardReport.objects.filter(report_datetime__lt=limit, created_at__lt=limit)


def removable_reports(now: datetime) -> QuerySet[GuardReport]:
    """Return the reports that a sweep removes, oldest first: not held, and not in processing."""
    recently = now - timedelta(days=AT_WORK_DAYS)
    tasks = TaskRecord.objects.filter(subject_id=OuterRef("pk"), status__in=UNFINISHED, enqueued_at__gte=recently)
    at_work = ReportFile.objects.filter(status=FileState.PENDING, report__created_at__gte=recently)
    maybe_equal = ReportFile.objects.filter(
        report=OuterRef("pk"), thumbnails__isnull=False, size_bytes__in=at_work.values("size_bytes")
    )
    reports = past_reports(now).filter(~Exists(tasks), ~Exists(maybe_equal), evidence_hold=False)
    return reports.order_by("report_datetime", "id")


def removable_records(now: datetime) -> QuerySet[TaskRecord]:
    """Return expired records of finished tasks, oldest first; none with RETENTION_TASK_DAYS 0.

    Records about a report under an evidence hold are kept.
    """
    limit = _limit("RETENTION_TASK_DAYS", now)
    if limit is None:
        return TaskRecord.objects.none()
    held = GuardReport.objects.filter(pk=OuterRef("subject_id"), evidence_hold=True)
    # The index is on the time of enqueueing, which is never later.
    ended = TaskRecord.objects.filter(status__in=FINISHED, enqueued_at__lt=limit, finished_at__lt=limit)
    return ended.filter(~Exists(held)).order_by("enqueued_at", "id")


def _limit(setting: str, now: datetime) -> datetime | None:
    """Return the start of a retention period, None for an unlimited one. Raises ImproperlyConfigured.

    Functions start without the system checks, so the days are validated here, too.
    """
    days: int = getattr(settings, setting)
    if days == 0:
        return None
    if not MIN_DAYS <= days <= MAX_DAYS:
        raise ImproperlyConfigured(
            f"{setting} is {days}. Set it to {MIN_DAYS} to {MAX_DAYS} days, or to 0 to keep all rows. "
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
    """Return the number and the bytes of objects that only these rows refer to."""
    by_key = rows.filter(~Exists(kept)).order_by().values(key).annotate(size=Max("size_bytes"))
    found = by_key.aggregate(count=Count(key), bytes=Sum("size"))
    return found["count"], found["bytes"] or 0


def _remove_reports(now: datetime, deadline: float, swept: Swept) -> list[StorageUnavailable]:
    """Remove reports in batches, and return the errors of skipped batches."""
    refusals: list[StorageUnavailable] = []
    for ids in _batches(removable_reports(now), "report_datetime", REPORTS_AT_ONCE):
        if time.monotonic() >= deadline:
            swept.more = True
            return refusals
        try:
            with transaction.atomic(durable=True):
                removed = _remove_batch(now, ids)
        except StorageUnavailable as error:
            logger.exception("reports %d to %d were not removed", ids[0], ids[-1])
            refusals.append(error)
            if len(refusals) == MAX_FAILED_BATCHES:  # others would fail, too
                swept.more = True
                return refusals
        else:
            logger.info("removed: %s", removed)
            swept.add(removed)
    return refusals


def _remove_batch(now: datetime, ids: Collection[int]) -> Swept:
    """Lock the reports that are still removable and not locked by others, and remove them."""
    take_turn("retention")  # two concurrent sweeps would both keep a shared object
    locked = removable_reports(now).filter(pk__in=ids).select_for_update(skip_locked=_can_skip_locked())
    gone = [report.pk for report in locked]
    files = list(ReportFile.objects.filter(report__in=gone).prefetch_related("thumbnails"))
    sizes = {file.key: file.size_bytes for file in files if file.file.name}
    sizes |= {made.key: made.size_bytes for file in files for made in file.thumbnails.all()}
    unused = sizes.keys() - keys_in_use(sizes, but_for=gone)
    GuardReport.objects.filter(pk__in=gone).delete()
    connection.check_constraints()  # fail before objects are deleted, not at the commit
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
    """Return the full keys that files or thumbnails of other reports refer to."""
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
    # Locked, so that a hold is set either before this check or after the removal.
    reports = GuardReport.objects.filter(pk__in={pk for pk in about.values() if pk})
    free = reports.filter(evidence_hold=False).select_for_update(skip_locked=_can_skip_locked())
    kept = set(reports.values_list("pk", flat=True)) - set(free.values_list("pk", flat=True))
    return TaskRecord.objects.filter(pk__in=[pk for pk, report_id in about.items() if report_id not in kept]).delete()[
        0
    ]


def _batches(rows: QuerySet[Any], moment: str, size: int) -> Iterator[Sequence[Any]]:
    """Yield ids in batches by time and id, querying each after the last."""
    after: tuple[datetime, Any] | None = None
    while True:
        left = rows
        if after is not None:
            later = Q(**{f"{moment}__gt": after[0]}) | Q(**{moment: after[0], "pk__gt": after[1]})
            left = rows.filter(later, **{f"{moment}__gte": after[0]})  # redundant, but indexed
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
        problem = f"{first.problem} {len(refusals)} batches of reports were not removed. Removed: {swept}."
        raise StorageUnavailable(first.where, problem, first.remedy)
