"""Tells what a file is by its first bytes. Its name is never asked."""

import codecs
from dataclasses import dataclass

from workflows.contracts.guard_report import FileKind

HEAD_BYTES = 8192
_IMAGES = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"GIF8", "image/gif"))
_BYTE_ORDER_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Of the control characters, those that text has: tab, line feed, form feed, carriage return, and ANSI's escape.
_NOT_TEXT = frozenset(range(32)) - {9, 10, 12, 13, 27} | {127}


@dataclass(frozen=True)
class ContentType:
    """What content is: how it is handled, and its media type."""

    kind: FileKind
    media_type: str


def sniff(head: bytes) -> ContentType:
    """Return what the content that begins with ``head`` is. Any bytes have an answer."""
    for magic, media_type in _IMAGES:
        if head.startswith(magic):
            return ContentType(FileKind.IMAGE, media_type)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return ContentType(FileKind.IMAGE, "image/webp")
    if head.removeprefix(codecs.BOM_UTF8).lstrip(b"\t\n\f\r \x00").startswith(b"%PDF-"):
        return ContentType(FileKind.PDF, "application/pdf")
    return ContentType(FileKind.OTHER, _other_media_type(head))


def _other_media_type(head: bytes) -> str:
    # Text first: a note that begins with "BM" or "MZ" is neither a bitmap nor a program.
    if _is_text(head):
        return "text/plain"
    import filetype  # type: ignore[import-untyped]  # it ships no types

    return filetype.guess_mime(head) or "application/octet-stream"


def _is_text(head: bytes) -> bool:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    if not head or _NOT_TEXT.intersection(head):
        return False
    try:
        # A full head may end within a character; a shorter one is the whole file.
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < HEAD_BYTES)
    except UnicodeDecodeError:
        return False
    return True
