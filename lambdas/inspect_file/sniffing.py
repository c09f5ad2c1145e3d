"""Detects a file's type from its first bytes, never from its name.

It runs in the function itself, so it decodes nothing and never raises. The decoder process later finds what needs the
whole file: which kind of ZIP it is, whether a gzip contains an SVG.
"""

import codecs
import re
from dataclasses import dataclass
from typing import Literal

from lambdas.inspect_file.audio_video_types import by_prefix, media_type_of_audio_or_video
from workflows.contracts.guard_report import FileKind

HEAD_BYTES = 8192
# Readers accept a PDF header in the first 1,024 bytes, after text of printers or mail programs.
PDF_HEADER_WITHIN = 1024
PDF_HEADER = re.compile(rb"(?:^|[\r\n\x00])[ \t]*%PDF-[0-9]\.[0-9]")

# HEIF, TIFF, WebP and BMP need more than a prefix.
_IMAGES = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_DIB_HEADER_BYTES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_DRAWN_IMAGES = frozenset(
    {"image/avif", "image/bmp", "image/heic", "image/heic-sequence", "image/heif", "image/tiff", "image/webp"}
)

_PROGRAMS = (
    (b"\x7fELF", "application/x-elf"),
    (b"\xfe\xed\xfa\xce", "application/x-mach-binary"),
    (b"\xfe\xed\xfa\xcf", "application/x-mach-binary"),
    (b"\xce\xfa\xed\xfe", "application/x-mach-binary"),
    (b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
    (b"\xca\xfe\xba\xbe", "application/java-vm"),
    (b"dex\n0", "application/x-dex"),
    (b"\x00asm", "application/wasm"),
    (b"L\x00\x00\x00\x01\x14\x02\x00", "application/x-ms-shortcut"),
)
# Files that are a program, not documents that contain one.
PROGRAMS = frozenset(media_type for _, media_type in _PROGRAMS) | {
    "application/vnd.microsoft.portable-executable",
    "application/x-bat",
    "application/x-msi",
    "text/x-shellscript",
}

ZIP_ENTRY, ZIP_END = b"PK\x03\x04", b"PK\x05\x06"
# The end of a ZIP has 22 bytes, and a comment of up to 65,535.
ZIP_END_WITHIN = 22 + 65_535
ZIP, GZIP, BZIP2, XZ = "application/zip", "application/gzip", "application/x-bzip2", "application/x-xz"
OLE = "application/x-ole-storage"
_OTHERS = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLE),
    (b"\x1f\x8b\x08", GZIP),
    (b"BZh", BZIP2),
    (b"\xfd7zXZ\x00", XZ),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"MSCF\x00\x00\x00\x00", "application/vnd.ms-cab-compressed"),
    (b"%!PS", "application/postscript"),
    (b"\xc5\xd0\xd3\xc6", "application/postscript"),
    (b"SQLite format 3\x00", "application/vnd.sqlite3"),
    (b"8BPS\x00", "image/vnd.adobe.photoshop"),
    (b"\x00\x00\x01\x00", "image/vnd.microsoft.icon"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "image/jxl"),
    (b"\xff\x0a", "image/jxl"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "image/jp2"),
    (b"\xff\x4f\xff\x51", "image/jp2"),
    (b"FUJIFILMCCD-RAW", "image/x-fuji-raf"),
    (b"FOVb", "image/x-sigma-x3f"),
    (b"\xd7\xcd\xc6\x9a", "image/wmf"),
    (b"MThd\x00\x00\x00\x06", "audio/midi"),
)
_WORDPROCESSING = "application/vnd.openxmlformats-officedocument."
OOXML_FOLDERS = {
    "word": _WORDPROCESSING + "wordprocessingml.document",
    "xl": _WORDPROCESSING + "spreadsheetml.sheet",
    "ppt": _WORDPROCESSING + "presentationml.presentation",
}
MIMETYPE_ENTRY = re.compile(rb"application/(?:vnd\.oasis\.opendocument\.[a-z-]{1,40}|epub\+zip)")


# Longer marks first: that of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Text has these control characters only: tab, line feed, form feed, carriage return, and ANSI's escape.
_NOT_TEXT = frozenset(range(32)) - {9, 10, 12, 13, 27} | {127}
# Old Windows text has few characters beyond ASCII; more than half of random bytes are.
_MAX_BEYOND_ASCII = 0.3
_XML_BEFORE_ROOT = re.compile(r"(?:\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE(?:[^\[>]|\[[^\]]*\])*>)*", re.S)
_ROOT = re.compile(r"<(?:[\w.-]+:)?([\w.-]+)")
# What browsers take for HTML: https://mimesniff.spec.whatwg.org/#identifying-a-resource-with-an-unknown-mime-type
_HTML = re.compile(
    r"\s*(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)[\s>]",
    re.I | re.S,
)

_TIFF_ENTRY_BYTES = 12
_MAX_TIFF_ENTRIES = 200
_NEW_SUBFILE_TYPE, _SUB_IFDS, _DNG_VERSION = 0x00FE, 0x014A, 0xC612
_TIFF_MAGIC = {
    b"IIRO": "image/x-olympus-orf",
    b"IIRS": "image/x-olympus-orf",
    b"MMOR": "image/x-olympus-orf",
    b"IIU\x00": "image/x-panasonic-rw2",
    b"II+\x00": "image/tiff",  # BigTIFF, both orders
    b"MM\x00+": "image/tiff",
}
_TIFF_ORDERS: dict[bytes, Literal["little", "big"]] = {b"II*\x00": "little", b"MM\x00*": "big"}


@dataclass(frozen=True)
class ContentType:
    """Type of content: how the workflow handles it, and its media type."""

    kind: FileKind
    media_type: str


def sniff(head: bytes) -> ContentType:
    """Return the type of a file from its first HEAD_BYTES, for any bytes.

    SVG, camera raw files and pictures without a decoder are OTHER: kept, not drawn.
    """
    if media_type := _picture(head):
        return ContentType(FileKind.IMAGE, media_type)
    if _is_pdf(head):
        return ContentType(FileKind.PDF, "application/pdf")
    if media_type := _other(head) or _text(head, is_whole=len(head) < HEAD_BYTES):
        return ContentType(FileKind.OTHER, media_type)
    return _audio_or_video(head)


def _audio_or_video(head: bytes) -> ContentType:
    media_type = media_type_of_audio_or_video(head)
    if media_type in _DRAWN_IMAGES:
        return ContentType(FileKind.IMAGE, media_type)
    kinds = {"audio": FileKind.AUDIO, "video": FileKind.VIDEO}
    return ContentType(kinds.get(media_type.partition("/")[0], FileKind.OTHER), media_type)


def _picture(head: bytes) -> str | None:
    if media_type := by_prefix(head, _IMAGES):
        return media_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if _is_bitmap(head):
        return "image/bmp"
    return "image/tiff" if _tiff(head) == "image/tiff" else None


def _is_bitmap(head: bytes) -> bool:
    """Check the header length too, since text may begin with "BM"."""
    return head[:2] == b"BM" and len(head) >= 26 and int.from_bytes(head[14:18], "little") in _DIB_HEADER_BYTES


def _is_pdf(head: bytes) -> bool:
    if re.match(rb"(?:\xef\xbb\xbf)?[\t\n\f\r \x00]*%PDF-", head):
        return True
    if _program(head) or head.lstrip()[:1] == b"<" or head.startswith(ZIP_ENTRY):
        return False
    late = PDF_HEADER.search(head, 0, PDF_HEADER_WITHIN)
    # Text may quote the header; only a PDF continues with objects.
    return late is not None and re.search(rb"[0-9] +[0-9]+ +obj\b", head[late.end() :]) is not None


def _other(head: bytes) -> str | None:
    return _program(head) or by_prefix(head, _OTHERS) or _zip(head) or _by_offset(head) or _tiff(head)


def _program(head: bytes) -> str | None:
    if media_type := by_prefix(head, _PROGRAMS):
        return media_type
    # Text that begins with "MZ" has no zero bytes in what would be the header.
    if head[:2] == b"MZ" and len(head) >= 64 and b"\x00" in head[:64]:
        return "application/vnd.microsoft.portable-executable"
    return None


def _by_offset(head: bytes) -> str | None:
    if head[257:262] == b"ustar":
        return "application/x-tar"
    if head[128:132] == b"DICM":
        return "application/dicom"
    if head[:4] == b"\x01\x00\x00\x00" and head[40:44] == b" EMF":
        return "image/emf"
    return None


def _zip(head: bytes) -> str | None:
    if head[:4] in {ZIP_END, b"PK\x07\x08"}:
        return ZIP
    if head[:4] != ZIP_ENTRY:
        return None
    if head[30:38] == b"mimetype" and (found := MIMETYPE_ENTRY.match(head, 38 + int.from_bytes(head[28:30], "little"))):
        return found[0].decode("ascii")
    if b"[Content_Types].xml" in head or b"_rels/.rels" in head:
        for folder, media_type in OOXML_FOLDERS.items():
            if folder.encode() + b"/" in head:
                return media_type
    return ZIP


def _tiff(head: bytes) -> str | None:
    """Return the media type of a TIFF or a raw file like it, else None."""
    magic = head[:4]
    if magic in _TIFF_MAGIC:
        return _TIFF_MAGIC[magic]
    if magic not in _TIFF_ORDERS:
        return None
    if head[8:10] == b"CR":
        return "image/x-canon-cr2"
    tags = _first_tags(head, _TIFF_ORDERS[magic])
    if _DNG_VERSION in tags:
        return "image/x-adobe-dng"
    # TIFF 6.0, section 8, NewSubfileType: its lowest bit marks a smaller copy of another picture, as in raw files.
    is_preview = tags.get(_NEW_SUBFILE_TYPE, 0) & 1
    return "image/x-raw" if is_preview and _SUB_IFDS in tags else "image/tiff"


def _first_tags(head: bytes, order: Literal["little", "big"]) -> dict[int, int]:
    """Return the first directory's tags with their values or offsets, as far as present."""

    def number(start: int, length: int) -> int:
        return int.from_bytes(head[start : start + length], order)

    start = number(4, 4)
    count, end = min(number(start, 2), _MAX_TIFF_ENTRIES), len(head) - _TIFF_ENTRY_BYTES + 1
    entries = range(start + 2, end, _TIFF_ENTRY_BYTES)[:count]
    return {number(entry, 2): number(entry + 8, 4 if number(entry + 2, 2) != 3 else 2) for entry in entries}


def _text(head: bytes, *, is_whole: bool) -> str | None:
    """Return the media type of text, None for other content."""
    text = decode_text(head, is_whole=is_whole)
    if text is None or head.startswith(b"#!AMR"):
        return None
    return _script(text) or _markup(text) or "text/plain"


def decode_text(head: bytes, *, is_whole: bool) -> str | None:
    """Return bytes as text, None for binary. A partial text may end within a character."""
    if not head:
        return None
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return codecs.getincrementaldecoder(encoding)("replace").decode(head[len(mark) :])
    if _NOT_TEXT.intersection(head):
        return None
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(head, final=is_whole)
    except UnicodeDecodeError:
        beyond = sum(byte > 127 for byte in head)
        return head.decode("cp1252", "replace") if beyond <= len(head) * _MAX_BEYOND_ASCII else None


def _script(text: str) -> str | None:
    if re.match(r"#!\s*/", text):
        return "text/x-shellscript"
    return "application/x-bat" if re.match(r"\s*@echo\s+off\b", text, re.I) else None


def _markup(text: str) -> str | None:
    if text.lstrip().startswith("{\\rtf"):
        return "application/rtf"
    if _HTML.match(text):
        return "text/html"
    before = _XML_BEFORE_ROOT.match(text)
    root = _ROOT.match(text, before.end() if before else 0)
    name = root[1].lower() if root else ""
    if name == "svg":
        return "image/svg+xml"
    if name == "html":
        return "application/xhtml+xml" if text.lstrip().startswith("<?xml") else "text/html"
    return "text/xml" if text.lstrip().startswith("<?xml") else None
