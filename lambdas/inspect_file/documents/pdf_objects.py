"""Looks into a PDF's objects for what runs and for what unpacks to too much.

PDFium has no call that lists every action of a document, so it is made to write a copy of the document: in that copy
nothing is encrypted, packed into object streams or spelled in escapes, and only what can be reached is left. In it a
name stands as itself, and a plain search finds it.
"""

import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from lambdas.shared.decoding.job import Limits
from workflows.errors import ActiveContent, DecompressionBomb, UnreadablePdf

# Strings are stepped over as a whole, without going back: what they say is no name.
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
# Acrobat's own functions with plain arguments, which forms use to show numbers and dates and to add them up.
# Nothing of theirs reaches beyond the form. No other call fits between the brackets.
_FORM_CALLS = re.compile(
    r"(?:\s*AF[A-Z]\w*\s*\((?:new\s+Array\s*\([^()`=]*+\)|[^()`=])*+\)\s*;?)++\s*",
    re.S,
)
# Of deflate, https://www.rfc-editor.org/rfc/rfc1951: no byte can stand for more.
_MOST_FOR_ONE_BYTE = 1032
_STEP_BYTES = 64 * 1024
_ACTS = {
    "Launch": "is a PDF that starts a program.",
    "XFA": "is a form of the kind XFA, which runs scripts.",
}
_SAVED_AGAIN = "Print it to a new PDF and upload that."


@dataclass(frozen=True)
class _Stream:
    dictionary: bytes
    data: memoryview


@dataclass(frozen=True)
class _Name:
    """A name that matters, in which object, and what follows it."""

    name: str
    number: int
    after: bytes


def refuse_dangers(document: Any, key: str, limits: Limits) -> None:
    """Raise ActiveContent (scripts, program starts, XFA forms), DecompressionBomb or UnreadablePdf (a circle)."""
    copy = io.BytesIO()
    document.save(copy, flags=_remove_security())
    rewritten = copy.getvalue()
    has_scripts = b"/JavaScript" in rewritten or b"/Rendition" in rewritten
    kids: dict[int, list[int]] = {}
    for found in _walk(memoryview(rewritten)):
        if isinstance(found, _Stream):
            _check_stream(found, key, limits)
        elif found.name == "Kids":
            kids[found.number] = _references(found.after)
        elif found.name != "JS":
            raise ActiveContent(key, _ACTS[found.name], _SAVED_AGAIN)
        elif has_scripts and not _is_form_arithmetic(found.after):
            raise ActiveContent(key, "is a PDF with JavaScript in it.", _SAVED_AGAIN)
    if _has_circle(kids):
        raise UnreadablePdf(key, "has pages that lead in a circle.", "Save the PDF again and upload it.")


def _remove_security() -> int:
    import pypdfium2.raw as pdfium  # type: ignore[import-untyped]  # it ships no types

    return int(pdfium.FPDF_REMOVE_SECURITY)


def _walk(data: memoryview) -> Iterator[_Stream | _Name]:
    """Yield each stream, and each name that matters with what follows it."""
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


def _has_circle(kids: dict[int, list[int]]) -> bool:
    """Return whether a node is among its own descendants."""
    try:
        TopologicalSorter(kids).prepare()
    except CycleError:
        return True
    return False


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
            problem = (
                f"holds a picture of {int(width[1]):,} by {int(height[1]):,} pixels, more than {limits.max_pixels:,}."
            )
            raise DecompressionBomb(key, problem, "Save the PDF with smaller pictures and upload it.")
        return
    stages = _inflating_stages(stream.dictionary)
    if len(stream.data) * _MOST_FOR_ONE_BYTE**stages <= limits.max_unpacked_bytes:
        return
    if _inflated_bytes(stream.data, stages, limits.max_unpacked_bytes) > limits.max_unpacked_bytes:
        problem = f"unpacks to more than {limits.max_unpacked_bytes:,} bytes."
        raise DecompressionBomb(key, problem, "Save the PDF again and upload it.")


def _inflating_stages(dictionary: bytes) -> int:
    """Return how many times the data was deflated, as far as nothing else comes between."""
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
            except zlib.error:  # as readers do, take what comes before the damage
                return
            rest = inflater.unconsumed_tail
