"""Finds what a file is by its first bytes. Its name is never used.

Pure Python on a few thousand bytes: it runs in the function itself, so it decodes nothing and never raises. What only
the whole file shows (which kind of ZIP, whether an SVG hides in a gzip) the decoder's process finds later.
"""

import re
from dataclasses import dataclass

from lambdas.inspect_file.kinds.recordings import by_prefix, media_type_of_sound_or_film
from lambdas.inspect_file.kinds.texts import media_type_of_text
from lambdas.inspect_file.kinds.tiffs import media_type_of_tiff
from workflows.contracts.guard_report import FileKind

HEAD_BYTES = 8192
# A reader accepts a PDF's header within the first 1,024 bytes, whatever printers or mail programs put before it.
PDF_HEADER_WITHIN = 1024
PDF_HEADER = re.compile(rb"(?:^|[\r\n\x00])[ \t]*%PDF-[0-9]\.[0-9]")

# What decoders are there for. HEIF, TIFF, WebP and BMP take more than a prefix.
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
# What is a program as a whole, not a paper with a program in it.
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


@dataclass(frozen=True)
class ContentType:
    """What content is: how it is handled, and its media type."""

    kind: FileKind
    media_type: str


def sniff(head: bytes) -> ContentType:
    """Return what the content that begins with ``head``, its first HEAD_BYTES, is. Any bytes have an answer.

    Camera raws, and pictures that no decoder here reads, are OTHER: kept, not drawn. So is SVG, always.
    """
    if media_type := _picture(head):
        return ContentType(FileKind.IMAGE, media_type)
    if _is_pdf(head):
        return ContentType(FileKind.PDF, "application/pdf")
    if media_type := _other(head) or media_type_of_text(head, is_whole=len(head) < HEAD_BYTES):
        return ContentType(FileKind.OTHER, media_type)
    return _sound_or_film(head)


def _sound_or_film(head: bytes) -> ContentType:
    media_type = media_type_of_sound_or_film(head)
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
    return "image/tiff" if media_type_of_tiff(head) == "image/tiff" else None


def _is_bitmap(head: bytes) -> bool:
    """A note may begin with "BM" too: only a bitmap has a header of a known length after two empty fields."""
    return head[:2] == b"BM" and len(head) >= 26 and int.from_bytes(head[14:18], "little") in _DIB_HEADER_BYTES


def _is_pdf(head: bytes) -> bool:
    if re.match(rb"(?:\xef\xbb\xbf)?[\t\n\f\r \x00]*%PDF-", head):
        return True
    if _program(head) or head.lstrip()[:1] == b"<" or head.startswith(ZIP_ENTRY):
        return False
    late = PDF_HEADER.search(head, 0, PDF_HEADER_WITHIN)
    # A note may quote the header; only a PDF goes on with objects.
    return late is not None and re.search(rb"[0-9] +[0-9]+ +obj\b", head[late.end() :]) is not None


def _other(head: bytes) -> str | None:
    return _program(head) or by_prefix(head, _OTHERS) or _zip(head) or _by_offset(head) or media_type_of_tiff(head)


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
