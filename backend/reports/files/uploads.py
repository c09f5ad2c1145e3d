"""Limits of an upload, enforced while it is received."""

from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError

from reports.files.storage import display_name

# For other fields and the boundaries between parts.
_ROOM_FOR_FIELDS_BYTES = 1024 * 1024


class UploadTooLarge(APIException):
    """The request exceeds a limit."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "payload_too_large"


def too_many_files() -> str:
    """Return the error for more than UPLOAD_MAX_FILES files."""
    return _("A report can have at most %(limit)s files (UPLOAD_MAX_FILES).") % {"limit": settings.UPLOAD_MAX_FILES}


class LimitedUploadHandler(FileUploadHandler):
    """Counts the bytes of each file and of all files. The next handlers store them.

    Raises UploadTooLarge, before reading if the Content-Length is too large.
    """

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self._total_bytes = 0
        self._file_bytes = 0
        self._refusal: UploadTooLarge | None = None

    def handle_raw_input(self, input_data: Any, META: Any, content_length: int, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002, N803  Django's signature
        """Refuse a body with too large a Content-Length."""
        if content_length > settings.UPLOAD_MAX_TOTAL_BYTES + _ROOM_FOR_FIELDS_BYTES:
            raise _upload_too_large()

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Start to count the next file."""
        super().new_file(*args, **kwargs)
        self._file_bytes = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:  # noqa: ARG002  Django's signature
        """Count a chunk and pass it on."""
        self._file_bytes += len(raw_data)
        self._total_bytes += len(raw_data)
        if self._file_bytes > settings.UPLOAD_MAX_FILE_BYTES:
            self._refuse(_file_too_large(self.file_name))
        if self._total_bytes > settings.UPLOAD_MAX_TOTAL_BYTES:
            self._refuse(_upload_too_large())
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the next handlers."""

    def upload_complete(self) -> None:
        """Raise the reason of an aborted upload."""
        if self._refusal is not None:
            raise self._refusal

    def _refuse(self, refusal: UploadTooLarge) -> None:
        self._refusal = refusal
        raise StopUpload(connection_reset=True)  # Django closes the open files and stops reading


def check_number_of(files: "list[UploadedFile[Any]]") -> None:
    """Raise ValidationError for too many files."""
    if len(files) > settings.UPLOAD_MAX_FILES:
        raise ValidationError({"files": [too_many_files()]})


def _file_too_large(name: str | None) -> UploadTooLarge:
    text = _("%(name)s has more than %(limit)s bytes, the limit for one file (UPLOAD_MAX_FILE_BYTES).")
    return UploadTooLarge(text % {"name": display_name(name), "limit": settings.UPLOAD_MAX_FILE_BYTES})


def _upload_too_large() -> UploadTooLarge:
    text = _("The upload has more than %(limit)s bytes, the limit for one report (UPLOAD_MAX_TOTAL_BYTES).")
    return UploadTooLarge(text % {"limit": settings.UPLOAD_MAX_TOTAL_BYTES})
