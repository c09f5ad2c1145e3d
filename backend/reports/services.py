"""What happens to a guard report: created by a guard, loaded and recorded by the guard_report workflow."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone

from core.models import Guard, Property, PropertySupervisor, Shift
from reports.captures import resolve_capture
from reports.files.names import display_name, safe_name
from reports.files.storage import uploads
from reports.models import FileState, GuardReport, ReportFile, Thumbnail, stored_name
from reports.reasons import reason_of
from reports.signals import report_created
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

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CreatedReport:
    """A report and the task that will process it: None when the task could not even be recorded."""

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
    """Save a report with its files, send ``report_created``, and enqueue its processing: all or nothing.

    Shift and property are those of the guard at the report's time. The task is saved with the report and
    sent after the commit, so the queue can not make this fail. Raises StorageUnavailable when a file can
    not be stored; the ones stored before it are deleted again.
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
    """Return the guard's shift at a moment: of several, the one that began last."""
    covering = Shift.objects.covering(moment).filter(guard=guard).select_related("property")
    return covering.order_by("-planned_start", "-id").first()


def enqueue_processing(report: GuardReport) -> str | None:
    """Enqueue the report's processing and return the task's id; None when no task could be recorded."""
    from common.tasks import process_guard_report  # the functions that load and record reports enqueue nothing

    try:
        with transaction.atomic():
            return process_guard_report.enqueue(report_id=report.pk).id
    except Exception:
        logger.exception("Report %s is saved, but its processing was not enqueued.", report.pk)
        return None


def load_report(report_id: int) -> LoadedReport:
    """Return what the guard_report workflow needs of a report. Raises ReportNotFound.

    A report that was taken out of use is processed like any other, but nobody is told of it.
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
    """Return whom to tell of a report: its property's client first, then the supervisors in their order.

    A property without supervisors, and a report without a property, go to the group "Supervisors".
    """
    people = [*_client_of(report.property), *_supervisors_of(report.property)]
    roles: dict[int, RecipientRole] = {}
    for user_id, role in people:
        roles.setdefault(user_id, role)
    return [Recipient(user_id=user_id, role=role) for user_id, role in roles.items()]


@transaction.atomic
def record_results(report_id: int, results: Iterable[FileResult]) -> RecordedReport:
    """Write what became of each file, in place of what was there. Raises ReportNotFound.

    Safe to retry: the same results give the same rows.
    """
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


_FACTS: dict[str, Any] = {  # and what stands where a file could not be inspected
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
    capture = resolve_capture(facts.captured_at, zone)
    found |= {"captured_at": capture.captured_at, "capture_zone_assumed": capture.zone_assumed}
    found["camera"] = _without_zeros(facts.camera or "").strip()
    if facts.latitude is None or facts.longitude is None:  # one alone is no place
        found |= {"latitude": None, "longitude": None}
    return found


def _without_zeros(text: str) -> str:
    """Leave out what PostgreSQL takes in no text; a file can hold it."""
    return text.replace("\x00", "")


def _store_files(report: GuardReport, files: "Sequence[UploadedFile[Any]]", stored: list[str]) -> None:
    rows = []
    for position, upload in enumerate(files):
        name = stored_name(None, safe_name(upload.name))
        stored.append(name)  # before it is stored: half of a file must go, too
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
