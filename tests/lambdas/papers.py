"""Makes documents for tests: ZIPs, compound files, PDFs with additional content."""

import io
import struct
import zipfile
from pathlib import Path

from lambdas.inspect_file.sniffing import HEAD_BYTES, sniff
from lambdas.shared.decoding.job import MediaFile
from tests.lambdas.pictures import pdf

CONTENT_TYPES = b'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
RELATIONS = b'<?xml version="1.0"?><Relationships>%s</Relationships>'


def media_file(folder: Path, data: bytes) -> MediaFile:
    """Return the content as a job receives it, with the detected media type."""
    path = folder / "content"
    path.write_bytes(data)
    return MediaFile(str(path), "media/1/a", sniff(data[:HEAD_BYTES]).media_type, len(data))


def zipped(entries: dict[str, bytes], *, stored: bool = False) -> bytes:
    """Return a ZIP with "mimetype" stored uncompressed, as its formats require."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            kind = zipfile.ZIP_STORED if name == "mimetype" or stored else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name), data, kind)
    return out.getvalue()


def office(folder: str, more: dict[str, bytes] | None = None) -> bytes:
    """Return an Office file; ``folder`` is word, xl or ppt."""
    return zipped({"[Content_Types].xml": CONTENT_TYPES, f"{folder}/document.xml": b"<d/>", **(more or {})})


def open_document(more: dict[str, bytes] | None = None) -> bytes:
    """Return a LibreOffice file."""
    kind = b"application/vnd.oasis.opendocument.text"
    return zipped({"mimetype": kind, "content.xml": b"<c/>", "Basic/script-lc.xml": b"<l/>", **(more or {})})


def encrypted_zip() -> bytes:
    """Return a ZIP with one encrypted entry."""
    data = bytearray(zipped({"a.txt": b"a" * 100}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def overlapping_zip() -> bytes:
    """Return a ZIP with two directory entries for one content."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a", b"a" * 1000)
        archive.writestr("b", b"a" * 1000)
        archive.infolist()[1].header_offset = 0
    return out.getvalue()


def nested_zip(depth: int) -> bytes:
    """Return a ZIP in a ZIP in a ZIP."""
    data = b"the innermost"
    for _ in range(depth):
        data = zipped({"inner.zip": data})
    return data


def compound_file(*names: str) -> bytes:
    """Return an OLE compound file whose directory has these names."""
    root = _entry("Root Entry", 5)
    entries = b"".join([root, *(_entry(name, 2) for name in names)]).ljust(1024, b"\x00")
    header = bytearray(512)
    header[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    struct.pack_into("<HHHHH", header, 24, 0x3E, 3, 0xFFFE, 9, 6)
    struct.pack_into("<LL", header, 44, 1, 1)
    struct.pack_into("<109L", header, 76, 0, *[0xFFFFFFFF] * 108)
    table = struct.pack("<128L", 0xFFFFFFFD, 2, 0xFFFFFFFE, *[0xFFFFFFFF] * 125)
    return bytes(header) + table + entries


def _entry(name: str, kind: int) -> bytes:
    text = name.encode("utf-16-le") + b"\x00\x00"
    return text.ljust(64, b"\x00") + struct.pack("<HB", len(text), kind) + bytes(61)


def pdf_with(entry: bytes) -> bytes:
    """Return a PDF of one page with additions to its catalog."""
    return pdf().replace(b"/Type /Catalog", entry + b" /Type /Catalog")


def pdf_with_stream(dictionary: bytes, data: bytes) -> bytes:
    """Return a PDF whose page has a stream as a picture."""
    whole = pdf(kids="4 0 R").replace(b"/Contents 3 0 R", b"/Contents 3 0 R /Resources << /XObject << /X 9 0 R >> >>")
    stream = b"9 0 obj\n<< %s /Length %d >>\nstream\n%s\nendstream\nendobj\n" % (dictionary, len(data), data)
    return whole.replace(b"xref\n0", stream + b"xref\n0", 1)
