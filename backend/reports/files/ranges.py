"""Serves part of a file: a video is sought in, and Safari plays none without it."""

import re
from pathlib import Path
from typing import IO

from django.http import FileResponse, HttpRequest, HttpResponse

_ONE_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE | re.ASCII)


class _Part:
    """The next ``count`` bytes of an open file; it closes the file."""

    def __init__(self, file: IO[bytes], count: int) -> None:
        self._file, self._left = file, count

    def read(self, size: int) -> bytes:
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        return data

    def close(self) -> None:
        self._file.close()


def serve(request: HttpRequest, path: Path, media_type: str) -> FileResponse | HttpResponse:
    """Return a file, or the one range of it that a GET asks for: 206, or 416 where the file has no such bytes.

    Several ranges, another unit and what can not be read are answered with the whole file, as HTTP allows; so is
    If-Range, since nothing is sent that it could name. https://www.rfc-editor.org/rfc/rfc9110#section-14
    """
    size = path.stat().st_size
    asked = _asked(request, size)
    response: FileResponse | HttpResponse
    if asked is None:
        response = FileResponse(path.open("rb"), content_type=media_type)
    elif not asked:
        response = HttpResponse(status=416, content_type="text/plain; charset=utf-8")
        response["Content-Range"] = f"bytes */{size}"
    else:
        file = path.open("rb")
        file.seek(asked.start)
        response = FileResponse(_Part(file, len(asked)), content_type=media_type, status=206)
        response["Content-Length"] = str(len(asked))
        response["Content-Range"] = f"bytes {asked.start}-{asked.stop - 1}/{size}"
    response["Accept-Ranges"] = "bytes"
    return response


def _asked(request: HttpRequest, size: int) -> range | None:
    """Return the bytes that are asked for, none where the file has none of them; None for the whole file."""
    found = _ONE_RANGE.fullmatch(request.headers.get("Range", ""))
    if request.method != "GET" or "If-Range" in request.headers or found is None:
        return None
    first, last = found.groups()
    if not first and not last:
        return None
    if not first:  # so many from the end
        return range(max(0, size - int(last)), size)
    if last and int(last) < int(first):  # no range at all
        return None
    return range(int(first), min(size, int(last) + 1) if last else size)
