"""Creates guard reports, and loads and records them for the guard_report workflow."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone

from core.models import Guard, Property, PropertySupervisor, Shift
from reports.files.storage import display_name, safe_name, uploads
from reports.models import FileState, GuardReport, ReportFile, Thumbnail, report_created, stored_name
from reports.presentation import reason_of
from workflows.contracts.guard_report import (
    FileFacts,
    FileResult,
    FileStatus,
    LoadedReport,
    Recipient,
    RecipientRole,
    RecordedReport,
    StoredFile,
)
from workflows.errors import ReportNotFound

SUPERVISORS_GROUP = "Supervisors"
# A reset camera writes 1904 or 1970, a damaged file the year 0, which the database does not support.
YEARS = range(1900, 2200)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CreatedReport:
    """A report and its task's id, None if it could not be enqueued."""

    report: GuardReport
    task_id: str | None


def create_report(
    guard: Guard,
    files: "Sequence[UploadedFile[Any]]",
    *,
    note: str = "",
    report_datetime: datetime | None = None,
    latitude: Decimal | None = None,
    longitude: Decimal | None = None,
    is_incident: bool = False,
) -> CreatedReport:
    """Save a report with its files, send ``report_created``, and enqueue its processing, atomically.

    Shift and property are the guard's at the report's time. The task is sent after the commit, so that this does not
    depend on the queue. Raises StorageUnavailable; files stored before it are deleted.
    """
    moment = report_datetime or timezone.now()
    stored: list[str] = []
    try:
        with transaction.atomic():
            shift = shift_at(guard, moment)
            report = GuardReport.objects.create(
                guard=guard,
                shift=shift,
                property=shift.property if shift else None,
                note=note,
                report_datetime=moment,
                latitude=latitude,
                longitude=longitude,
                is_incident=is_incident,
            )
            _store_files(report, files, stored)
            report_created.send(GuardReport, report=report)
            return CreatedReport(report, enqueue_processing(report))
    except BaseException:
        _delete_files(stored)
        raise


def shift_at(guard: Guard, moment: datetime) -> Shift | None:
    """Return the guard's shift at a moment: of several, the one with the latest start."""
    covering = Shift.objects.covering(moment).filter(guard=guard).select_related("property")
    return covering.order_by("-planned_start", "-id").first()


def enqueue_processing(report: GuardReport) -> str | None:
    """Enqueue a report's processing and return the task's id, None on failure."""
    from common.tasks import process_guard_report  # functions do not need it

    try:
        with transaction.atomic():
            return process_guard_report.enqueue(report_id=report.pk).id
    except Exception:
        logger.exception("Report %s is saved, but its processing was not enqueued.", report.pk)
        return None


def load_report(report_id: int) -> LoadedReport:
    """Return a report for the guard_report workflow. Raises ReportNotFound.

    An inactive report has no recipients.
    """
    report = GuardReport.objects.select_related("property__owner__user").filter(pk=report_id).first()
    if report is None:
        raise _not_found(report_id)
    return LoadedReport(
        report_id=report.pk,
        files=[StoredFile(file_id=file.pk, key=file.key, name=file.name) for file in report.files.all()],
        recipients=recipients_of(report) if report.is_active else [],
    )


def recipients_of(report: GuardReport) -> list[Recipient]:
    """Return the recipients of a report: the property's client, then the supervisors in order.

    Without a property or supervisors, these are the group "Supervisors".
    """
    people = [*_client_of(report.property), *_supervisors_of(report.property)]
    roles: dict[int, RecipientRole] = {}
    for user_id, role in people:
        roles.setdefault(user_id, role)
    return [Recipient(user_id=user_id, role=role) for user_id, role in roles.items()]


def may_read(report: GuardReport, user: User) -> bool:
    """Return whether a person may read a report now.

    Its recipients may, and staff with the right to view. The links in mails outlive this, so each request asks again.
    """
    if not user.is_active or not report.is_active:
        return False
    if user.is_staff and user.has_perm("reports.view_guardreport"):
        return True
    return user.pk in {recipient.user_id for recipient in recipients_of(report)}


@transaction.atomic
def record_results(report_id: int, results: Iterable[FileResult]) -> RecordedReport:
    """Replace the results of each file. Raises ReportNotFound. Safe to retry."""
    report = GuardReport.objects.select_for_update().filter(pk=report_id).first()
    if report is None:
        raise _not_found(report_id)
    files = {file.pk: file for file in report.files.all()}
    by_file = {result.file_id: result for result in results if result.file_id in files}
    zone = report.tzinfo()
    for file_id, result in by_file.items():
        _fill(files[file_id], result, zone)
    thumbnails = [
        Thumbnail(report_file_id=file_id, **made.model_dump())
        for file_id, result in by_file.items()
        for made in result.thumbnails
    ]
    ReportFile.objects.bulk_update([files[file_id] for file_id in by_file], [*_FACTS, *_OTHERS])
    Thumbnail.objects.filter(report_file__in=by_file).delete()
    Thumbnail.objects.bulk_create(thumbnails)
    report.processed_at = report.processed_at or timezone.now()
    report.save(update_fields=["processed_at", "updated_at"])
    accepted = sum(result.status is FileStatus.ACCEPTED for result in by_file.values())
    return RecordedReport(accepted=accepted, rejected=len(by_file) - accepted, thumbnails=len(thumbnails))


_FACTS: dict[str, Any] = {  # the values for a file that was not inspected
    "kind": "",
    "media_type": "",
    "sha256": "",
    "width": None,
    "height": None,
    "frames": None,
    "pages": None,
    "duration_seconds": None,
    "captured_at": None,
    "capture_zone_assumed": False,
    "camera": "",
    "latitude": None,
    "longitude": None,
}
_OTHERS = ("size_bytes", "status", "error", "reason", "thumbnails_reason")


def _fill(file: ReportFile, result: FileResult, zone: tzinfo) -> None:
    file.status = FileState(result.status.value)
    rejected = result.status is FileStatus.REJECTED
    file.error = (result.error or "")[:80] if rejected else ""
    file.reason = reason_of(result.error, result.cause, file.key) if rejected else ""
    file.thumbnails_reason = "" if rejected else _without_zeros(result.thumbnails_reason or "")[:500]
    file.size_bytes = result.facts.size_bytes if result.facts else file.size_bytes
    for name, value in (_FACTS | (_found(result.facts, zone) if result.facts else {})).items():
        setattr(file, name, value)


def _found(facts: FileFacts, zone: tzinfo) -> dict[str, Any]:
    found = facts.model_dump(mode="json", exclude_none=True, exclude={"size_bytes", "captured_at"})
    found["captured_at"], found["capture_zone_assumed"] = resolve_capture(facts.captured_at, zone)
    found["camera"] = _without_zeros(facts.camera or "").strip()
    if facts.latitude is None or facts.longitude is None:  # one alone is not a place
        found |= {"latitude": None, "longitude": None}
    return found


def resolve_capture(text: str | None, zone: tzinfo) -> tuple[datetime | None, bool]:
    """Return a capture time, and whether ``zone`` was assumed.

    Invalid texts count as missing: a file may contain anything.
    """
    try:
        moment = datetime.fromisoformat(text or "")
        is_local = moment.tzinfo is None
        moment = (moment.replace(tzinfo=zone) if is_local else moment).astimezone(UTC)
    except (ValueError, OverflowError):
        return None, False
    return (moment, is_local) if moment.year in YEARS else (None, False)


def _without_zeros(text: str) -> str:
    """Remove zeros, which PostgreSQL does not support in texts."""
    return text.replace("\x00", "")


def _store_files(report: GuardReport, files: "Sequence[UploadedFile[Any]]", stored: list[str]) -> None:
    rows = []
    for position, upload in enumerate(files):
        name = stored_name(None, safe_name(upload.name))
        stored.append(name)  # before it is stored, so that a partial file is deleted, too
        rows.append(
            ReportFile(
                report=report,
                position=position,
                file=uploads().save(name, upload),
                name=display_name(upload.name),
                size_bytes=upload.size or 0,
            )
        )
    ReportFile.objects.bulk_create(rows)


def _delete_files(names: Iterable[str]) -> None:
    for name in names:
        try:
            uploads().delete(name)
        except Exception:
            logger.exception("%s belongs to no report and could not be deleted.", name)


def _client_of(place: Property | None) -> list[tuple[int, RecipientRole]]:
    if place is None or not place.owner.is_active:
        return []
    user = place.owner.user
    return [(user.pk, RecipientRole.CLIENT)] if user.is_active and user.email else []


def _supervisors_of(place: Property | None) -> list[tuple[int, RecipientRole]]:
    links = PropertySupervisor.objects.filter(property=place, user__is_active=True).exclude(user__email="")
    group = User.objects.filter(groups__name=SUPERVISORS_GROUP, is_active=True).exclude(email="")
    ids = list(links.order_by("position", "id").values_list("user_id", flat=True)) if place else []
    ids = ids or list(group.order_by("pk").values_list("pk", flat=True))
    return [(user_id, RecipientRole.SUPERVISOR) for user_id in ids]


def _not_found(report_id: int) -> ReportNotFound:
    return ReportNotFound(f"report {report_id}", "does not exist.", "Enqueue the id of a saved report.")
