"""Inspects PDFs: complete pages, no active content, no decompression bombs.

PDFium cannot list all actions of a document, so it writes a copy without encryption, object streams, escapes and
unreachable objects. A search of the copy then finds every name.
"""

import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from lambdas.inspect_file.sniffing import HEAD_BYTES, PROGRAMS, sniff
from lambdas.shared.decoding.job import Limits, MediaFile
from lambdas.shared.media.pdfs import open_pdf, page_size
from workflows.errors import ActiveContent, DecompressionBomb, FileTooLarge, UnreadablePdf

# Readers search the last 1,024 bytes for the end; more may follow if a transfer appended data.
_END_WITHIN = 64 * 1024
_MAX_ATTACHMENTS = 1000
_PROGRAM_NAME = re.compile(
    r".*\.(apk|bat|chm|cmd|com|cpl|dll|exe|hta|jar|jse?|lnk|ms[ip]|pif|ps1|reg|scr|sh|vb[es]?|ws[fh])", re.I | re.S
)

# Strings are skipped without backtracking: they contain no names.
_TOKENS = re.compile(
    rb"\((?:[^\\()]++|\\.)*+\)|(?P<stream>>>\s*stream\r?\n)|/(?P<name>JS|Launch|XFA|Kids)(?=[\s/<>\[\](){}%])", re.S
)
_NUMBER = rb"[\s]*([0-9]{1,12})(?![0-9]*[\s]+[0-9]+[\s]+R)"
_LENGTH = re.compile(rb"/Length" + _NUMBER)
_WIDTH, _HEIGHT = re.compile(rb"/Width" + _NUMBER), re.compile(rb"/Height" + _NUMBER)
_IMAGE = re.compile(rb"/Subtype\s*/Image\b")
_FILTERS = re.compile(rb"/Filter\s*(?:\[([^\]]*)\]|(/\w+))")
_OBJECT = re.compile(rb"([0-9]{1,10}) [0-9]+ obj\b")
_SCRIPT = re.compile(rb"\s*(?:\(((?:[^\\()]++|\\.)*+)\)|<([0-9A-Fa-f\s]*+)>)", re.S)
# Acrobat's functions with plain arguments, with which forms format and add numbers and dates. They cannot affect
# anything outside the form. No other call matches between the brackets.
_FORM_CALLS = re.compile(r"(?:\s*AF[A-Z]\w*\s*\((?:new\s+Array\s*\([^()`=]*+\)|[^()`=])*+\)\s*;?)++\s*", re.S)
# The maximum of deflate, https://www.rfc-editor.org/rfc/rfc1951
_MAX_BYTES_FROM_ONE = 1032
_STEP_BYTES = 64 * 1024
_ACTIVE = {"Launch": "is a PDF that starts a program.", "XFA": "is an XFA form, which runs scripts."}
_PRINT_AGAIN = "Print it to a new PDF and upload that."


@dataclass(frozen=True)
class _Stream:
    dictionary: bytes
    data: memoryview


@dataclass(frozen=True)
class _Name:
    """A relevant name, the number of its object, and the bytes after it."""

    name: str
    number: int
    after: bytes


def inspect_pdf(file: MediaFile, limits: Limits) -> dict[str, Any]:
    """Return ``pages``.

    Raises UnreadablePdf (broken, truncated, a password, missing or circular pages), FileTooLarge for too many pages or
    attachments, ActiveContent and DecompressionBomb.
    """
    with open_pdf(file.path, file.key) as document:
        _refuse_cut_off(file)
        pages = len(document)
        if pages > limits.max_pages:
            problem = f"has {pages:,} pages, more than {limits.max_pages:,}."
            raise FileTooLarge(file.key, problem, "Upload it in parts.")
        for number in range(pages):
            page_size(document, number, file.key)
        _refuse_programs(document, file.key)
        _refuse_dangers(document, file.key, limits)
        return {"pages": pages}


def _refuse_cut_off(file: MediaFile) -> None:
    """Refuse a truncated file, which PDFium would repair and open in part."""
    with Path(file.path).open("rb") as content:
        content.seek(max(0, file.size_bytes - _END_WITHIN))
        if b"startxref" not in content.read():
            raise UnreadablePdf(file.key, "is cut off before its end.", "Upload the PDF again.")


def _refuse_programs(document: Any, key: str) -> None:
    """Refuse attached programs; other attachments, such as an invoice's XML, are accepted."""
    attachments = document.count_attachments()
    if attachments > _MAX_ATTACHMENTS:
        problem = f"is a PDF with {attachments:,} attachments, more than {_MAX_ATTACHMENTS:,}."
        raise FileTooLarge(key, problem, "Upload them one by one.")
    for number in range(attachments):
        attachment = document.get_attachment(number)
        name = attachment.get_name()
        if _PROGRAM_NAME.fullmatch(name) or _head_type(attachment) in PROGRAMS:
            raise ActiveContent(key, f"is a PDF with an attached program, {name[:60]!r}.", "Remove the program.")


def _head_type(attachment: Any) -> str:
    import pypdfium2  # type: ignore[import-untyped]  # it ships no types

    try:
        return sniff(bytes(attachment.get_data()[:HEAD_BYTES])).media_type
    except pypdfium2.PdfiumError:  # an attachment without content
        return ""


def _refuse_dangers(document: Any, key: str, limits: Limits) -> None:
    import pypdfium2.raw as pdfium  # type: ignore[import-untyped]  # it ships no types

    copy = io.BytesIO()
    document.save(copy, flags=int(pdfium.FPDF_REMOVE_SECURITY))
    rewritten = copy.getvalue()
    has_scripts = b"/JavaScript" in rewritten or b"/Rendition" in rewritten
    kids: dict[int, list[int]] = {}
    for found in _walk(memoryview(rewritten)):
        if isinstance(found, _Stream):
            _check_stream(found, key, limits)
        elif found.name == "Kids":
            kids[found.number] = _references(found.after)
        elif found.name != "JS":
            raise ActiveContent(key, _ACTIVE[found.name], _PRINT_AGAIN)
        elif has_scripts and not _is_form_arithmetic(found.after):
            raise ActiveContent(key, "is a PDF with JavaScript in it.", _PRINT_AGAIN)
    try:
        TopologicalSorter(kids).prepare()
    except CycleError as error:
        raise UnreadablePdf(key, "has circular pages.", "Save the PDF again and upload it.") from error


def _walk(data: memoryview) -> Iterator[_Stream | _Name]:
    """Yield each stream and each relevant name."""
    position = last_end = 0
    while found := _TOKENS.search(data, position):
        position = found.end()
        if found["name"]:
            number = _OBJECT.findall(data[max(last_end, found.start() - _STEP_BYTES) : found.start()])
            after = bytes(data[position : position + _STEP_BYTES])
            yield _Name(found["name"].decode("ascii"), int(number[-1]) if number else 0, after)
        elif found["stream"]:
            dictionary = bytes(data[max(last_end, found.start() - _STEP_BYTES) : found.start()])
            dictionary = dictionary[dictionary.rfind(b" obj") + 1 :]
            end = _end_of_stream(data, position, dictionary)
            yield _Stream(dictionary, data[position:end])
            position = last_end = end


def _end_of_stream(data: memoryview, start: int, dictionary: bytes) -> int:
    length = _LENGTH.search(dictionary)
    end = start + int(length[1]) if length else start
    if bytes(data[end : end + 12]).lstrip().startswith(b"endstream"):
        return end
    found = re.compile(rb"endstream").search(data, start)
    return found.start() if found else len(data)


def _references(array: bytes) -> list[int]:
    return [int(number) for number in re.findall(rb"([0-9]{1,10})\s+[0-9]+\s+R\b", array.partition(b"]")[0])]


def _is_form_arithmetic(after_name: bytes) -> bool:
    found = _SCRIPT.match(after_name)
    if not found:
        return False
    if found[1] is not None:
        script = re.sub(rb"\\(.)", rb"\1", found[1], flags=re.S)
    else:
        digits = re.sub(rb"\s", b"", found[2])
        script = bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii"))
    encoding = "utf-16-be" if script.startswith(b"\xfe\xff") else "latin-1"
    return _FORM_CALLS.fullmatch(script.decode(encoding, "replace").lstrip("\ufeff")) is not None


def _check_stream(stream: _Stream, key: str, limits: Limits) -> None:
    if _IMAGE.search(stream.dictionary):
        width, height = _WIDTH.search(stream.dictionary), _HEIGHT.search(stream.dictionary)
        if width and height and int(width[1]) * int(height[1]) > limits.max_pixels:
            size = f"{int(width[1]):,} by {int(height[1]):,} pixels"
            problem = f"has a picture of {size}, more than {limits.max_pixels:,}."
            raise DecompressionBomb(key, problem, "Save the PDF with smaller pictures and upload it.")
        return
    stages = _inflating_stages(stream.dictionary)
    if len(stream.data) * _MAX_BYTES_FROM_ONE**stages <= limits.max_unpacked_bytes:
        return
    if _inflated_bytes(stream.data, stages, limits.max_unpacked_bytes) > limits.max_unpacked_bytes:
        problem = f"unpacks to more than {limits.max_unpacked_bytes:,} bytes."
        raise DecompressionBomb(key, problem, "Save the PDF again and upload it.")


def _inflating_stages(dictionary: bytes) -> int:
    """Return the number of Flate filters before any other filter."""
    found = _FILTERS.search(dictionary)
    names = re.findall(rb"/(\w+)", found[1] or found[2]) if found else []
    stages = 0
    for name in names:
        if name not in {b"FlateDecode", b"Fl"}:
            break
        stages += 1
    return stages


def _inflated_bytes(data: memoryview, stages: int, enough: int) -> int:
    chunks: Iterator[bytes] = (bytes(data[at : at + _STEP_BYTES]) for at in range(0, len(data), _STEP_BYTES))
    for _ in range(stages):
        chunks = _inflated(chunks)
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > enough:
            break
    return size


def _inflated(chunks: Iterator[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj()
    for chunk in chunks:
        rest = chunk
        while rest and not inflater.eof:
            try:
                yield inflater.decompress(rest, _STEP_BYTES)
            except zlib.error:  # like readers, use the data before the damage
                return
            rest = inflater.unconsumed_tail
