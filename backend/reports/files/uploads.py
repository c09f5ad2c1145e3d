"""The limits of an upload, kept while it comes in: what is too large is not read to its end."""

from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError

from reports.files.names import display_name

# The other fields and the boundaries between the parts.
_ROOM_FOR_FIELDS_BYTES = 1024 * 1024


class UploadTooLarge(APIException):
    """The request's body exceeds a limit."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "payload_too_large"


def too_many_files() -> str:
    """Return the text for a request with more files than UPLOAD_MAX_FILES."""
    return _("At most %(limit)s files fit in one report (UPLOAD_MAX_FILES).") % {"limit": settings.UPLOAD_MAX_FILES}


class LimitedUploadHandler(FileUploadHandler):
    """Counts the bytes of each file and of all of them; the handlers after it store them.

    Raises PayloadTooLarge, from the announced length of the body when that says enough.
    """

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self._total_bytes = 0
        self._file_bytes = 0
        self._refusal: UploadTooLarge | None = None

    def handle_raw_input(self, input_data: Any, META: Any, content_length: int, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002, N803  Django's signature
        """Refuse a body that announces more than fits."""
        if content_length > settings.UPLOAD_MAX_TOTAL_BYTES + _ROOM_FOR_FIELDS_BYTES:
            raise _upload_too_large()

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Begin to count the next file."""
        super().new_file(*args, **kwargs)
        self._file_bytes = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:  # noqa: ARG002  Django's signature
        """Count a piece and hand it on."""
        self._file_bytes += len(raw_data)
        self._total_bytes += len(raw_data)
        if self._file_bytes > settings.UPLOAD_MAX_FILE_BYTES:
            self._refuse(_file_too_large(self.file_name))
        if self._total_bytes > settings.UPLOAD_MAX_TOTAL_BYTES:
            self._refuse(_upload_too_large())
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the handlers after this one."""

    def upload_complete(self) -> None:
        """Say why the upload was broken off, if it was."""
        if self._refusal is not None:
            raise self._refusal

    def _refuse(self, refusal: UploadTooLarge) -> None:
        self._refusal = refusal
        raise StopUpload(connection_reset=True)  # Django closes the files begun, and reads no further


def check_number_of(files: "list[UploadedFile[Any]]") -> None:
    """Raise ValidationError, naming the limit, for more files than one report may carry."""
    if len(files) > settings.UPLOAD_MAX_FILES:
        raise ValidationError({"files": [too_many_files()]})


def _file_too_large(name: str | None) -> UploadTooLarge:
    text = _("%(name)s has more than %(limit)s bytes, the limit for one file (UPLOAD_MAX_FILE_BYTES).")
    return UploadTooLarge(text % {"name": display_name(name), "limit": settings.UPLOAD_MAX_FILE_BYTES})


def _upload_too_large() -> UploadTooLarge:
    text = _("The upload has more than %(limit)s bytes, the limit for one report (UPLOAD_MAX_TOTAL_BYTES).")
    return UploadTooLarge(text % {"limit": settings.UPLOAD_MAX_TOTAL_BYTES})
