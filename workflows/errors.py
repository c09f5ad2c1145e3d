"""The errors that steps may raise. ``ErrorEquals`` refers to them by class name.

::

    StepError
    ├── TransientError               may succeed later: retried with backoff
    │   ├── DatabaseUnavailable
    │   ├── EmailServiceUnavailable
    │   ├── StorageUnavailable
    │   └── TaskStillRunning
    └── PermanentError               fails again until something is changed
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
    """One file of a report cannot be processed. The other files continue."""


class ActiveContent(FileRejected):
    """The file contains code that would run when opened: a script or a macro."""


class AmbiguousContent(FileRejected):
    """The content is valid in two formats, so that two programs would show different files."""


class DecoderCrashed(FileRejected):
    """The decoder process ended before the end of the file."""


class DecoderOutOfMemory(FileRejected):
    """The decoder exceeded its memory limit."""


class DecoderTimedOut(FileRejected):
    """The decoder exceeded its time limit."""


class DecompressionBomb(FileRejected):
    """The file decompresses to more than the limit."""


class FileEmpty(FileRejected):
    """The file has no bytes."""


class FileMissing(FileRejected):
    """The object is not in the bucket."""


class FileTooLarge(FileRejected):
    """The file exceeds a limit on bytes, pixels, frames, pages or seconds."""


class UnreadableAudio(FileRejected):
    """The content is audio, but no decoder can read it."""


class UnreadableDocument(FileRejected):
    """The content is Office, OpenDocument, SVG or ZIP, but damaged."""


class UnreadableImage(FileRejected):
    """The content is an image, but no decoder can read it."""


class UnreadablePdf(FileRejected):
    """The content is a PDF, but encrypted or damaged."""


class UnreadableVideo(FileRejected):
    """The content is a video, but no decoder can read it."""


class NobodyAcknowledged(PermanentError):
    """All supervisors were asked, and none has acknowledged the incident."""


class ReportNotFound(PermanentError):
    """The report does not exist."""


class TooManyDigests(PermanentError):
    """More clients have reports than one execution can send mail to."""
