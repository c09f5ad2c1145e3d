"""Inputs and outputs of the guard_report workflow and its steps.

Load Report -> Process Files (Map: Inspect File -> By Kind -> Make Thumbnails) -> Record Report
-> Notify People (Map: Render Email -> Send Email) -> Summarize.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from qu_workflows.protocol.contract import Contract, TaskId
from workflows import errors
from workflows.contracts.tasks import WorkflowTask

TRANSIENT_ERRORS = (errors.DatabaseUnavailable, errors.EmailServiceUnavailable, errors.StorageUnavailable)
FILE_ERRORS = tuple(errors.FileRejected.__subclasses__())  # in their order in workflows/errors.py, which is rendered
RECIPIENT_ERRORS = (errors.EmailRefused, errors.RecipientNotFound)
FATAL_ERRORS = (errors.PayloadInvalid, errors.ReportNotFound, errors.TemplateInvalid)

DatabaseId = Annotated[int, Field(strict=True, ge=1, le=2**63 - 1)]
CAPTURE_TIME = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}([+-]\d{2}:\d{2})?$"
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class FileKind(StrEnum):
    """Kind of a file, detected from its content."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    PDF = "pdf"
    OTHER = "other"


# Kinds that get thumbnails. Of the others only the original is kept.
DRAWN_KINDS = (FileKind.IMAGE, FileKind.VIDEO, FileKind.AUDIO, FileKind.PDF)
# The reason for any other kind; reports.presentation has it for translation.
NO_PICTURE = "A file of this kind has no picture to be made small: the original is kept."


class FileStatus(StrEnum):
    """The verdict on one file."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


class RecipientRole(StrEnum):
    """Reason why a person is notified of a report."""

    CLIENT = "client"
    SUPERVISOR = "supervisor"


class GuardReportInput(Contract):
    """The payload of the ``process_guard_report`` task, and the execution's input."""

    report_id: DatabaseId


TASK = WorkflowTask("process_guard_report", "guard_report", GuardReportInput, by_reference=False)


class LoadReportInput(Contract):
    """Input of "Load Report"."""

    task_id: TaskId
    report_id: DatabaseId


class StoredFile(Contract):
    """A stored file of a report. ``key`` is its full S3 key."""

    file_id: DatabaseId
    key: str
    name: str


class Recipient(Contract):
    """A person to notify. Histories contain no address: it is looked up later."""

    user_id: DatabaseId
    role: RecipientRole


class LoadedReport(Contract):
    """Output of "Load Report"."""

    report_id: DatabaseId
    files: list[StoredFile]
    recipients: list[Recipient]


class InspectFileInput(Contract):
    """Input of "Inspect File"."""

    task_id: TaskId
    file: StoredFile


class FileFacts(Contract):
    """Output of "Inspect File". Sizes are bytes and displayed pixels.

    ``frames`` is set for animations and multi-page images, ``duration_seconds`` for video and audio.
    ``captured_at`` is ISO 8601: with a UTC offset if the file has one, else the camera's local time.
    ``latitude`` and ``longitude`` are WGS 84 degrees, both or neither. Metadata can be wrong or forged.
    """

    kind: FileKind
    media_type: str
    size_bytes: Annotated[int, Field(ge=0)]
    sha256: Sha256
    width: Annotated[int, Field(ge=1)] | None = None
    height: Annotated[int, Field(ge=1)] | None = None
    frames: Annotated[int, Field(ge=1)] | None = None
    pages: Annotated[int, Field(ge=1)] | None = None
    duration_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    captured_at: Annotated[str, StringConstraints(pattern=CAPTURE_TIME)] | None = None
    camera: Annotated[str, StringConstraints(min_length=1, max_length=120)] | None = None
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None


class MakeThumbnailsInput(Contract):
    """Input of "Make Thumbnails"."""

    task_id: TaskId
    file: StoredFile
    facts: FileFacts


class Thumbnail(Contract):
    """One thumbnail. ``size`` is small, medium or large, each as WebP and as JPEG.

    The size ``preview`` is a short animation of a video, as WebP only. Width and height are pixels.
    """

    size: str
    key: str
    media_type: str
    width: int
    height: int
    size_bytes: int


class ThumbnailSet(Contract):
    """Output of "Make Thumbnails": sizes from small to large, then the preview.

    ``reason`` explains an empty list.
    """

    thumbnails: list[Thumbnail]
    reason: str | None = None


class FileResult(Contract):
    """Result of one iteration of "Process Files".

    ``thumbnails_reason`` explains why an accepted file has no thumbnails. ``error`` and ``cause`` are the catcher's
    for a rejected file.
    """

    file_id: DatabaseId
    status: FileStatus
    facts: FileFacts | None = None
    thumbnails: list[Thumbnail] = []
    thumbnails_reason: str | None = None
    error: str | None = None
    cause: str | None = None


class RecordReportInput(Contract):
    """Input of "Record Report"."""

    task_id: TaskId
    report_id: DatabaseId
    results: list[FileResult]


class RecordedReport(Contract):
    """Output of "Record Report"."""

    accepted: int
    rejected: int
    thumbnails: int


class Notification(Contract):
    """Result of one iteration: the ``status`` of ``SentEmail``, or not_notified with ``error``."""

    user_id: DatabaseId
    role: RecipientRole
    status: Literal["sent", "already_sent", "unconfirmed", "not_notified"]
    error: str | None = None


class ProcessedReport(RecordedReport):
    """The execution's output. ``emails`` has one entry for each recipient."""

    report_id: DatabaseId
    emails: list[Notification]
