"""PDFs: their pages, and the refusals of harmful or broken ones."""

import zlib
from collections.abc import Mapping
from pathlib import Path

import pypdfium2  # type: ignore[import-untyped]  # it ships no types
import pytest

from lambdas.inspect_file.documents.pdfs import inspect_pdf
from lambdas.shared.decoding.job import Limits
from tests.lambdas.papers import media_file, pdf_with, pdf_with_stream
from tests.lambdas.pictures import ENCRYPTED_PDF, pdf
from workflows.errors import ActiveContent, DecompressionBomb, FileRejected, FileTooLarge, UnreadablePdf

LIMITS = Limits(max_unpacked_bytes=4 * 1024 * 1024)
ZEROS = bytes(5 * 1024 * 1024)
SUM = b'AFSimple_Calculate\\("SUM", new Array\\("a","b"\\)\\); AFNumber_Format\\(2, 0, 0, 0, "$", true\\);'
IMAGE = b"/Type /XObject /Subtype /Image /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /FlateDecode"


def script(code: bytes) -> bytes:
    return pdf_with(b"/OpenAction << /S /JavaScript /JS (%s) >>" % code)


def in_an_object_stream() -> bytes:
    """Return a PDF with its catalog and a script in a packed object stream."""
    catalog = b"<< /Type /Catalog /Pages 2 0 R /OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >> >>"
    packed = zlib.compress(b"1 0 " + catalog)
    objects = [
        (2, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"),
        (3, b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] >>"),
        (
            4,
            b"<< /Type /ObjStm /N 1 /First 4 /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream"
            % (len(packed), packed),
        ),
    ]
    out, places = b"%PDF-1.5\n", {}
    for number, body in objects:
        places[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    rows = b"\x00\x00\x00\xff" + b"\x02\x00\x04\x00"
    rows += b"".join(b"\x01" + places[number].to_bytes(2, "big") + b"\x00" for number, _ in objects)
    rows += b"\x01" + len(out).to_bytes(2, "big") + b"\x00"
    table = b"<< /Type /XRef /Size 6 /W [1 2 1] /Root 1 0 R /Length %d >>\nstream\n%s\nendstream" % (len(rows), rows)
    return out + b"5 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n" % (table, len(out))


def with_attachments(files: Mapping[str, bytes], folder: Path) -> bytes:
    document = pypdfium2.PdfDocument(pdf())
    for name, data in files.items():
        document.new_attachment(name).set_data(data)
    document.save(folder / "attached.pdf")
    document.close()
    return (folder / "attached.pdf").read_bytes()


HONEST = [
    ("a page", pdf(), 1),
    ("some pages", pdf(pages=12), 12),
    ("lines before it", b"\x1b%-12345X@PJL\r\n" + pdf(), 1),
    ("a form that adds up", script(SUM), 1),
    ("a link", pdf_with(b"/OpenAction << /S /URI /URI (https://example.org/) >>"), 1),
    ("a title that speaks of scripts", pdf_with(b"/Title (how to write /JS and /Launch /XFA)"), 1),
    ("a picture", pdf_with_stream(IMAGE + b" /Width 10 /Height 10", zlib.compress(bytes(100))), 1),
    ("a name that only looks so", pdf_with(b"/JS (app.alert\\(1\\))"), 1),
]
REFUSED = [
    ("a script", script(b"app.alert\\(1\\)"), ActiveContent),
    ("a script behind form arithmetic", script(SUM + b"app.alert\\(1\\)"), ActiveContent),
    ("a script within form arithmetic", script(b"AFNumber_Format\\(app.alert\\(1\\)\\)"), ActiveContent),
    ("a script in hexadecimal", pdf_with(b"/OpenAction << /S /JavaScript /JS <6170702E> >>"), ActiveContent),
    ("a script spelled in escapes", pdf_with(b"/OpenAction << /S /J#61vaScript /#4AS (app.a) >>"), ActiveContent),
    (
        "a script of the document",
        pdf_with(b"/Names << /JavaScript << /Names [(a) << /S /JavaScript /JS (b.c) >>] >> >>"),
        ActiveContent,
    ),
    ("a script in a stream of its own", pdf_with_stream(b"/S /JavaScript /JS 3 0 R", b""), ActiveContent),
    ("a script in an object stream", in_an_object_stream(), ActiveContent),
    ("a program start", pdf_with(b"/OpenAction << /S /Launch /F (a.exe) >>"), ActiveContent),
    ("an XFA form", pdf_with(b"/AcroForm << /Fields [] /XFA 3 0 R >>"), ActiveContent),
    ("a password", ENCRYPTED_PDF, UnreadablePdf),
    ("no pages", pdf(pages=0), UnreadablePdf),
    ("its head alone", pdf()[:60], UnreadablePdf),
    ("cut off", pdf()[:-40], UnreadablePdf),
    ("pages of itself", pdf(kids="2 0 R"), UnreadablePdf),
    ("a page, then itself", pdf(pages=2, kids="4 0 R 2 0 R"), UnreadablePdf),
    ("a page, then itself, uncounted", pdf(kids="4 0 R 2 0 R"), UnreadablePdf),
    ("20,000 pages", pdf(pages=20_000), FileTooLarge),
    ("pages that it only says to have", pdf(kids="4 0 R").replace(b"/Count 1", b"/Count 9"), UnreadablePdf),
    ("a picture too large", pdf_with_stream(IMAGE + b" /Width 100000 /Height 100000", b"a"), DecompressionBomb),
    ("a stream too large", pdf_with_stream(b"/Filter /FlateDecode", zlib.compress(ZEROS)), DecompressionBomb),
    (
        "a stream packed twice",
        pdf_with_stream(b"/Filter [/FlateDecode /FlateDecode]", zlib.compress(zlib.compress(ZEROS))),
        DecompressionBomb,
    ),
]


@pytest.mark.parametrize(("data", "pages"), [case[1:] for case in HONEST], ids=[case[0] for case in HONEST])
def test_a_harmless_pdf_has_pages(tmp_path: Path, data: bytes, pages: int) -> None:
    assert inspect_pdf(media_file(tmp_path, data), LIMITS) == {"pages": pages}


@pytest.mark.parametrize(("data", "error"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_harmful_or_broken_pdf_is_refused(tmp_path: Path, data: bytes, error: type[FileRejected]) -> None:
    with pytest.raises(FileRejected) as refusal:
        inspect_pdf(media_file(tmp_path, data), LIMITS)

    assert type(refusal.value) is error


def test_an_attached_table_is_accepted(tmp_path: Path) -> None:
    data = with_attachments({"figures.xml": b"<invoice/>"}, tmp_path)

    assert inspect_pdf(media_file(tmp_path, data), LIMITS) == {"pages": 1}


@pytest.mark.parametrize(("name", "content"), [("a.JS", b"a"), ("a.txt", b"MZ\x90".ljust(99, b"\x00"))])
def test_an_attached_program_is_refused_by_name_or_content(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(ActiveContent, match="an attached program"):
        inspect_pdf(media_file(tmp_path, with_attachments({name: content}, tmp_path)), LIMITS)


def test_a_program_behind_many_attached_tables_is_refused(tmp_path: Path) -> None:
    files = {f"{number:03}.xml": b"<invoice/>" for number in range(150)} | {"z.exe": b"a"}

    with pytest.raises(ActiveContent, match=r"an attached program, 'z\.exe'"):
        inspect_pdf(media_file(tmp_path, with_attachments(files, tmp_path)), LIMITS)


def test_too_many_attachments_are_refused(tmp_path: Path) -> None:
    files = {f"{number:04}.xml": b"<invoice/>" for number in range(1001)}

    with pytest.raises(FileTooLarge, match="1,001 attachments, more than 1,000"):
        inspect_pdf(media_file(tmp_path, with_attachments(files, tmp_path)), LIMITS)
