"""HTTP range requests for local files: players need them to seek, Safari to play."""

import re
from pathlib import Path
from typing import IO

from django.http import FileResponse, HttpRequest, HttpResponse

_ONE_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE | re.ASCII)


class _Part:
    """Reads the next ``count`` bytes of an open file, and closes it."""

    def __init__(self, file: IO[bytes], count: int) -> None:
        self._file, self._left = file, count

    def read(self, size: int) -> bytes:
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        return data

    def close(self) -> None:
        self._file.close()


def serve(request: HttpRequest, path: Path, media_type: str) -> FileResponse | HttpResponse:
    """Return the file with 200, a requested range with 206, or 416.

    Several ranges, other units and malformed ranges get the whole file, as HTTP allows. So does If-Range, since the
    response has no validator. https://www.rfc-editor.org/rfc/rfc9110#section-14
    """
    size = path.stat().st_size
    part = _requested(request, size)
    response: FileResponse | HttpResponse
    if part is None:
        response = FileResponse(path.open("rb"), content_type=media_type)
    elif not part:
        response = HttpResponse(status=416, content_type="text/plain; charset=utf-8")
        response["Content-Range"] = f"bytes */{size}"
    else:
        file = path.open("rb")
        file.seek(part.start)
        response = FileResponse(_Part(file, len(part)), content_type=media_type, status=206)
        response["Content-Length"] = str(len(part))
        response["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    response["Accept-Ranges"] = "bytes"
    return response


def _requested(request: HttpRequest, size: int) -> range | None:
    """Return the requested bytes, empty for a range outside of the file, None for all."""
    found = _ONE_RANGE.fullmatch(request.headers.get("Range", ""))
    if request.method != "GET" or "If-Range" in request.headers or found is None:
        return None
    first, last = found.groups()
    if not first and not last:
        return None
    if not first:  # the last bytes
        return range(max(0, size - int(last)), size)
    if last and int(last) < int(first):  # malformed
        return None
    return range(int(first), min(size, int(last) + 1) if last else size)
