"""Finds files of two formats, such as a photo that is also a script.

Legitimate files are accepted: a photo followed by a video (motion photos), more photos (MPF, depth maps), zeros or a
maker's trailer, and a PDF after text of a printer or a mail.
"""

import mmap
import re
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

from lambdas.inspect_file.sniffing import (
    HEAD_BYTES,
    PDF_HEADER_WITHIN,
    PROGRAMS,
    ZIP_END,
    ZIP_END_WITHIN,
    ZIP_ENTRY,
    sniff,
)
from lambdas.shared.decoding.job import MediaFile
from workflows.errors import AmbiguousContent

# Markup is searched in this many bytes at the beginning and the end of a file.
_SEARCHED_BYTES = 8 * 1024 * 1024
_ZIP_DIRECTORY = b"PK\x01\x02"
# Long enough not to occur in pixels by chance.
_MARKUP = re.compile(
    rb"<(?:[sS][cC][rR][iI][pP][tT][\s>/]|[hH][tT][mM][lL][\s>]|\?php\s|[iI][fF][rR][aA][mM][eE]\s"
    rb"|!(?:doctype|DOCTYPE) [hH][tT][mM][lL])"
)
_PDF = re.compile(rb"%PDF-[0-9]\.[0-9]")
_PDF_OBJECT = re.compile(rb"[0-9] +[0-9]+ +obj\b")
_PDF_END = b"%%EOF"
# A script with a picture's header: the size starts a comment, which ends far behind, in an assignment.
_COMMENT_AT = {"image/gif": (6,), "image/jpeg": (4,), "image/bmp": (2,), "image/webp": (4,), "audio/wav": (4,)}
_COMMENT_END = re.compile(rb"\*/\s*=")
_NOT_PADDING = re.compile(rb"[^\x00\r\n ]")
_ARCHIVES = (b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c", ZIP_ENTRY)
# The marker after a scan of a JPEG: no stuffed byte, no restart marker, no fill byte.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_REMEDY = "Save it again in one format, and upload that."


def refuse_ambiguous(file: MediaFile) -> None:
    """Raise AmbiguousContent for a file of two formats at once. Decodes nothing.

    It is memory-mapped and searched: for markup at both ends, for the end of a picture or PDF as a whole.
    """
    with Path(file.path).open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        other = _other_format(content, file.media_type)
    if other:
        raise AmbiguousContent(file.key, f"is {_article(file.media_type)} and {other} at once.", _REMEDY)


def _other_format(content: mmap.mmap, media_type: str) -> str | None:
    if media_type in PROGRAMS:
        return None  # refused as a program
    is_archive = content[:4] in {ZIP_ENTRY, ZIP_END}
    if not is_archive and media_type not in _ARCHIVE_TYPES and _ends_as_zip(content):
        return "a ZIP archive"
    if is_archive:
        return _late_pdf_in_zip(content)
    if media_type == "application/pdf":
        return _around_pdf(content)
    if media_type.startswith(("text/", "application/")) or media_type == "image/svg+xml":
        return "a PDF" if _has_early_pdf(content) and media_type not in {"text/plain", *_ARCHIVE_TYPES} else None
    return _beside_media(content, media_type)


_ARCHIVE_TYPES = frozenset(
    {"application/x-tar", "application/vnd.rar", "application/x-7z-compressed", "application/x-ole-storage"}
)


def _beside_media(content: mmap.mmap, media_type: str) -> str | None:
    if _at_an_end(_MARKUP, content):
        return "an HTML page or a script"
    if _PDF.search(content, 0, PDF_HEADER_WITHIN):
        return "a PDF"
    if _PDF_END in content[-PDF_HEADER_WITHIN:] and _at_an_end(_PDF, content):
        return "a PDF"
    if any(content[at : at + 2] == b"/*" for at in _COMMENT_AT.get(media_type, ())) and _COMMENT_END.search(content):
        return "a script"
    end = _ENDS[media_type](content) if media_type in _ENDS else None
    return _starts_behind(content, end, HEAD_BYTES) if end else None


def _at_an_end(pattern: re.Pattern[bytes], content: mmap.mmap) -> bool:
    """Return whether a pattern is in the file's beginning or end."""
    beginning = pattern.search(content, 0, _SEARCHED_BYTES)
    return bool(beginning or pattern.search(content, max(_SEARCHED_BYTES, len(content) - _SEARCHED_BYTES)))


def _starts_behind(content: mmap.mmap, end: int, within: int) -> str | None:
    """Return the archive or program that begins after padding."""
    start = _NOT_PADDING.search(content, end, end + within)
    behind = content[start.start() : start.start() + HEAD_BYTES] if start else b""
    if behind.startswith(_ARCHIVES):
        return "an archive"
    return "a program" if sniff(behind).media_type in PROGRAMS else None


def _ends_as_zip(content: mmap.mmap) -> bool:
    """Return whether there is a ZIP's end record that locates a directory."""
    tail_start = max(0, len(content) - ZIP_END_WITHIN)
    found = content.rfind(ZIP_END, tail_start)
    while found >= 0:
        if found + 22 <= len(content):
            size, offset = struct.unpack_from("<LL", content, found + 12)
            places = {offset, found - size}
            if size and any(content[place : place + 4] == _ZIP_DIRECTORY for place in places if place >= 0):
                return True
        found = content.rfind(ZIP_END, tail_start, found)
    return False


def _late_pdf_in_zip(content: mmap.mmap) -> str | None:
    """Find a PDF header, except of a PDF stored as the first entry."""
    found = _PDF.search(content, 0, PDF_HEADER_WITHIN)
    if not found:
        return None
    name_bytes, extra_bytes = struct.unpack_from("<HH", content, 26)
    return None if found.start() == 30 + name_bytes + extra_bytes else "a PDF"


def _around_pdf(content: mmap.mmap) -> str | None:
    """Search before a PDF's header and first object, and behind its end."""
    header = _PDF.search(content, 0, PDF_HEADER_WITHIN * 8)
    start = header.start() if header else 0
    first_object = content.find(b" obj", start)
    lead_end = min(first_object if first_object >= 0 else start, _SEARCHED_BYTES)
    end = content.rfind(_PDF_END)
    end = end + len(_PDF_END) if end >= 0 else len(content)
    if _MARKUP.search(content, 0, lead_end) or _MARKUP.search(content, end, end + _SEARCHED_BYTES):
        return "an HTML page or a script"
    return _starts_behind(content, end, _SEARCHED_BYTES)


def _has_early_pdf(content: mmap.mmap) -> bool:
    found = _PDF.search(content, 0, PDF_HEADER_WITHIN)
    return found is not None and _PDF_OBJECT.search(content, found.end(), 65_536) is not None


def _end_of_jpeg(content: mmap.mmap) -> int | None:
    """Return the end of the first picture, skipping thumbnails in its segments."""
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xD9:
            return at + 2
        if marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        if marker == 0xDA:
            found = _JPEG_MARKER.search(content, at)
            if not found:
                return None
            at = found.start()
    return at + 2 if content[at : at + 2] == b"\xff\xd9" else None


def _end_of_png(content: mmap.mmap) -> int | None:
    found = content.find(b"\x00\x00\x00\x00IEND\xaeB`\x82")
    return found + 12 if found >= 0 else None


def _end_of_gif(content: mmap.mmap) -> int | None:
    found = content.rfind(b"\x00;")
    return found + 2 if found >= 0 else None


_ENDS: Mapping[str, Callable[[mmap.mmap], int | None]] = {
    "image/jpeg": _end_of_jpeg,
    "image/png": _end_of_png,
    "image/webp": lambda content: 8 + int(struct.unpack_from("<L", content, 4)[0]),
    "image/bmp": lambda content: int(struct.unpack_from("<L", content, 2)[0]) or None,
    "image/gif": _end_of_gif,
}


def _article(media_type: str) -> str:
    name = "SVG" if media_type == "image/svg+xml" else media_type.rpartition("/")[2].upper()
    return f"{'an' if name[0] in 'AEFHILMNORSX' else 'a'} {name}"
