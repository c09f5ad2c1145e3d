"""How an original reaches a browser: as what was found in it, and never as a page of this site."""

import re

from django.core.files.storage import Storage

from reports.files.storage import UNKNOWN_MEDIA_TYPE, uploads
from reports.models import FileState, ReportFile

# What a browser decodes and never runs. An SVG (image/svg+xml) is a page with scripts, and so is much else in XML.
_SHOWN = re.compile(r"(?:image|video|audio)/[a-z0-9][a-z0-9.-]*")
_DECODED_KINDS = frozenset({"image", "video", "audio"})


def original_url(file: ReportFile) -> str:
    """Return a signed URL of a file as it was sent, valid SIGNED_URL_SECONDS.

    It opens in the browser if it was decoded as a picture, video or sound. All else, and what was not looked into
    yet or was refused, is a download: a PDF may have scripts, and a name promises nothing.
    """
    storage: Storage = uploads()
    url: str = storage.url_as(file.file.name, _media_type(file))  # type: ignore[attr-defined]  # both of ours have it
    return url


def _media_type(file: ReportFile) -> str:
    is_decoded = file.status == FileState.ACCEPTED and file.kind in _DECODED_KINDS
    return file.media_type if is_decoded and _SHOWN.fullmatch(file.media_type) else UNKNOWN_MEDIA_TYPE
