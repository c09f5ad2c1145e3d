"""The guard_report workflow: what each state is given and what it answers.

Load Report -> Process Files (Map: Inspect File -> By Kind -> Make Thumbnails) -> Record Report
-> Notify People (Map: Render Email -> Send Email) -> Summarize.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from workflows.contracts.base import Contract, TaskId
from workflows.errors import (
    DatabaseUnavailable,
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
    UnreadableImage,
    UnreadablePdf,
)

TRANSIENT_ERRORS: tuple[type[StepError], ...] = (DatabaseUnavailable, EmailServiceUnavailable, StorageUnavailable)
FILE_ERRORS: tuple[type[FileRejected], ...] = (FileEmpty, FileMissing, FileTooLarge, UnreadableImage, UnreadablePdf)
RECIPIENT_ERRORS: tuple[type[StepError], ...] = (EmailRefused, RecipientNotFound)
FATAL_ERRORS: tuple[type[StepError], ...] = (PayloadInvalid, ReportNotFound, TemplateInvalid)

DatabaseId = Annotated[int, Field(strict=True, ge=1, le=2**63 - 1)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class FileKind(StrEnum):
    """What a file's content is, whatever its name says."""

    IMAGE = "image"
    PDF = "pdf"
    OTHER = "other"


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
    """What "Inspect File" answers: facts read from the content alone. Sizes in bytes and pixels."""

    kind: FileKind
    media_type: str
    size_bytes: Annotated[int, Field(ge=0)]
    sha256: Sha256
    width: int | None = None
    height: int | None = None
    pages: int | None = None


class MakeThumbnailsInput(Contract):
    """What "Make Thumbnails" is given."""

    task_id: TaskId
    file: StoredFile
    facts: FileFacts


class Thumbnail(Contract):
    """One thumbnail: ``size`` is its name, width and height its pixels.

    small, medium and large are WebP; email is a JPEG of medium's size, since not every mail program shows WebP.
    """

    size: str
    key: str
    media_type: str
    width: int
    height: int
    size_bytes: int


class ThumbnailSet(Contract):
    """What "Make Thumbnails" answers: small, medium, large, then email."""

    thumbnails: list[Thumbnail]


class FileResult(Contract):
    """What one iteration of "Process Files" ends as.

    ``error`` and ``cause`` are those of the catcher when the file was rejected.
    """

    file_id: DatabaseId
    status: FileStatus
    facts: FileFacts | None = None
    thumbnails: list[Thumbnail] = []
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
