"""The guard_report workflow: what each state is given and what it answers.

Load Report -> Process Files (Map: Inspect File -> By Kind -> Make Thumbnails) -> Record Report
-> Notify People (Map: Render Email -> Send Email) -> Summarize.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from qu_workflows.protocol.contract import Contract, TaskId
from workflows.errors import (
    ActiveContent,
    AmbiguousContent,
    DatabaseUnavailable,
    DecoderCrashed,
    DecoderOutOfMemory,
    DecoderTimedOut,
    DecompressionBomb,
    EmailRefused,
    EmailServiceUnavailable,
    FileEmpty,
    FileMissing,
    FileRejected,
    FileTooLarge,
    PayloadInvalid,
    RecipientNotFound,
    ReportNotFound,
    StepError,
    StorageUnavailable,
    TemplateInvalid,
    UnreadableAudio,
    UnreadableDocument,
    UnreadableImage,
    UnreadablePdf,
    UnreadableVideo,
)

TRANSIENT_ERRORS: tuple[type[StepError], ...] = (DatabaseUnavailable, EmailServiceUnavailable, StorageUnavailable)
FILE_ERRORS: tuple[type[FileRejected], ...] = (
    ActiveContent,
    AmbiguousContent,
    DecoderCrashed,
    DecoderOutOfMemory,
    DecoderTimedOut,
    DecompressionBomb,
    FileEmpty,
    FileMissing,
    FileTooLarge,
    UnreadableAudio,
    UnreadableDocument,
    UnreadableImage,
    UnreadablePdf,
    UnreadableVideo,
)
RECIPIENT_ERRORS: tuple[type[StepError], ...] = (EmailRefused, RecipientNotFound)
FATAL_ERRORS: tuple[type[StepError], ...] = (PayloadInvalid, ReportNotFound, TemplateInvalid)

DatabaseId = Annotated[int, Field(strict=True, ge=1, le=2**63 - 1)]
CAPTURE_TIME = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}([+-]\d{2}:\d{2})?$"
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class FileKind(StrEnum):
    """What a file's content is, whatever its name says."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    PDF = "pdf"
    OTHER = "other"


# What shows on paper or on a screen, or can be drawn, gets thumbnails; of the others only the original is kept.
DRAWN_KINDS = (FileKind.IMAGE, FileKind.VIDEO, FileKind.AUDIO, FileKind.PDF)
# What is said of a file of any other kind; backend/reports/reasons.py has it for translation.
NO_PICTURE = "A file of this kind has no picture to be made small: the original is kept."


class FileStatus(StrEnum):
    """The verdict on one file."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


class RecipientRole(StrEnum):
    """Why a person hears of a report."""

    CLIENT = "client"
    SUPERVISOR = "supervisor"


class GuardReportInput(Contract):
    """The payload of the ``process_guard_report`` task, and the execution's input."""

    report_id: DatabaseId


class LoadReportInput(Contract):
    """What "Load Report" is given."""

    task_id: TaskId
    report_id: DatabaseId


class StoredFile(Contract):
    """A file of a report where it lies: ``key`` is its whole S3 key in the bucket."""

    file_id: DatabaseId
    key: str
    name: str


class Recipient(Contract):
    """A person to notify. The address is looked up when the mail is rendered: none in the history."""

    user_id: DatabaseId
    role: RecipientRole


class LoadedReport(Contract):
    """What "Load Report" answers."""

    report_id: DatabaseId
    files: list[StoredFile]
    recipients: list[Recipient]


class InspectFileInput(Contract):
    """What "Inspect File" is given."""

    task_id: TaskId
    file: StoredFile


class FileFacts(Contract):
    """What "Inspect File" answers: facts read from the content alone. Sizes in bytes and pixels, as it is seen.

    ``frames`` is set for animations and of pictures of several pages, ``duration_seconds`` of video and audio.
    ``captured_at`` is ISO 8601: with an offset from UTC where the file has one, else the camera's own local time.
    ``latitude`` and ``longitude`` are WGS 84 degrees, both or neither. What the camera wrote can be wrong, or forged.
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
    """What "Make Thumbnails" is given."""

    task_id: TaskId
    file: StoredFile
    facts: FileFacts


class Thumbnail(Contract):
    """One thumbnail: ``size`` is its name, width and height its pixels.

    Each of small, medium and large is there as WebP and as JPEG, for what shows no WebP; ``preview`` is the short
    animation of a video, WebP alone.
    """

    size: str
    key: str
    media_type: str
    width: int
    height: int
    size_bytes: int


class ThumbnailSet(Contract):
    """What "Make Thumbnails" answers: the sizes from small to large, each as WebP and as JPEG, then the preview.

    ``reason`` says why there is none, if there is none.
    """

    thumbnails: list[Thumbnail]
    reason: str | None = None


class FileResult(Contract):
    """What one iteration of "Process Files" ends as.

    ``thumbnails_reason`` says why an accepted file has no thumbnail; ``error`` and ``cause`` are those of the catcher
    when the file was rejected.
    """

    file_id: DatabaseId
    status: FileStatus
    facts: FileFacts | None = None
    thumbnails: list[Thumbnail] = []
    thumbnails_reason: str | None = None
    error: str | None = None
    cause: str | None = None


class RecordReportInput(Contract):
    """What "Record Report" is given."""

    task_id: TaskId
    report_id: DatabaseId
    results: list[FileResult]


class RecordedReport(Contract):
    """What "Record Report" answers."""

    accepted: int
    rejected: int
    thumbnails: int


class Notification(Contract):
    """What one iteration of "Notify People" ends as.

    ``status`` is that of ``SentEmail``, or not_notified with the ``error`` that was caught.
    """

    user_id: DatabaseId
    role: RecipientRole
    status: Literal["sent", "already_sent", "unconfirmed", "not_notified"]
    error: str | None = None


class ProcessedReport(RecordedReport):
    """The execution's output: how many files and thumbnails, and one entry for each recipient."""

    report_id: DatabaseId
    emails: list[Notification]
