"""The errors that steps of this project may raise, by the names that ``ErrorEquals`` uses.

A step's error reaches the state machine by its class name, so a name here is a name in
``state_machines/*.asl.json``; a test ties the two.

::

    StepError
    ├── TransientError               the next attempt may work: retried with back-off
    │   ├── DatabaseUnavailable
    │   ├── EmailServiceUnavailable
    │   ├── StorageUnavailable
    │   └── TaskStillRunning
    └── PermanentError               no attempt will work until something is changed
        ├── FileRejected             caught per file: becomes data on the report
        │   ├── ActiveContent
        │   ├── AmbiguousContent
        │   ├── DecoderCrashed
        │   ├── DecoderOutOfMemory
        │   ├── DecoderTimedOut
        │   ├── DecompressionBomb
        │   ├── FileEmpty
        │   ├── FileMissing
        │   ├── FileTooLarge
        │   ├── UnreadableAudio
        │   ├── UnreadableDocument
        │   ├── UnreadableImage
        │   ├── UnreadablePdf
        │   └── UnreadableVideo
        ├── EmailRefused             caught per recipient: becomes data on the report
        ├── NobodyAcknowledged
        ├── PayloadInvalid
        ├── RecipientNotFound
        ├── ReportNotFound
        ├── TaskNotRegistered
        ├── TemplateInvalid
        └── TooManyDigests
"""

from qu_workflows.protocol.errors import (
    DatabaseUnavailable,
    EmailRefused,
    EmailServiceUnavailable,
    PayloadInvalid,
    PermanentError,
    RecipientNotFound,
    StepError,
    StorageUnavailable,
    TaskNotRegistered,
    TaskStillRunning,
    TemplateInvalid,
    TransientError,
)

__all__ = [
    "ActiveContent",
    "AmbiguousContent",
    "DatabaseUnavailable",
    "DecoderCrashed",
    "DecoderOutOfMemory",
    "DecoderTimedOut",
    "DecompressionBomb",
    "EmailRefused",
    "EmailServiceUnavailable",
    "FileEmpty",
    "FileMissing",
    "FileRejected",
    "FileTooLarge",
    "NobodyAcknowledged",
    "PayloadInvalid",
    "PermanentError",
    "RecipientNotFound",
    "ReportNotFound",
    "StepError",
    "StorageUnavailable",
    "TaskNotRegistered",
    "TaskStillRunning",
    "TemplateInvalid",
    "TooManyDigests",
    "TransientError",
    "UnreadableAudio",
    "UnreadableDocument",
    "UnreadableImage",
    "UnreadablePdf",
    "UnreadableVideo",
]


class FileRejected(PermanentError):
    """One file of a report cannot be processed; the other files go on."""


class ActiveContent(FileRejected):
    """The file carries code that would run where it is opened: a script in an SVG or a PDF, a macro."""


class AmbiguousContent(FileRejected):
    """The content is of two formats at once, so that two programs would see two different files."""


class DecoderCrashed(FileRejected):
    """The decoder's process ended in the middle of the file."""


class DecoderOutOfMemory(FileRejected):
    """The decoder asked for more memory than one file may take."""


class DecoderTimedOut(FileRejected):
    """The decoder was not done in the time that one file may take."""


class DecompressionBomb(FileRejected):
    """The file is small, and what it unpacks to is not."""


class FileEmpty(FileRejected):
    """The file has no bytes."""


class FileMissing(FileRejected):
    """The object is not in the bucket."""


class FileTooLarge(FileRejected):
    """The file passes a limit on bytes, pixels, frames, pages or seconds."""


class UnreadableAudio(FileRejected):
    """The content says audio, but no decoder reads it."""


class UnreadableDocument(FileRejected):
    """The content says paper of some kind (Office, OpenDocument, SVG, ZIP), but it is broken."""


class UnreadableImage(FileRejected):
    """The content says image, but no decoder reads it."""


class UnreadablePdf(FileRejected):
    """The content says PDF, but it is encrypted or broken."""


class UnreadableVideo(FileRejected):
    """The content says video, but no decoder reads it."""


class NobodyAcknowledged(PermanentError):
    """Everyone who can be asked was asked, and no one has acknowledged the incident."""


class ReportNotFound(PermanentError):
    """The report does not exist."""


class TooManyDigests(PermanentError):
    """More clients than one execution can write to."""
