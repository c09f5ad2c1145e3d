"""Searches Office files, archives, markup, text and programs for active content.

They are kept, never drawn. Not searched: 7z, RAR, tar, PostScript, embedded OLE objects, and text as a script.
"""

import gzip
import io
import mmap
import re
from collections.abc import Callable, Mapping, Set
from functools import partial
from pathlib import Path
from typing import IO, Any

from lambdas.inspect_file.documents import compound_files
from lambdas.inspect_file.documents.archives import Budget, read_packed, read_zip
from lambdas.inspect_file.documents.markup import (
    CONTENT_TYPES,
    MACROS_REMEDY,
    PartReader,
    refuse_html_dangers,
    refuse_xml_dangers,
)
from lambdas.inspect_file.sniffing import BZIP2, GZIP, OLE, OOXML_FOLDERS, PROGRAMS, XZ, ZIP, sniff
from lambdas.shared.decoding.job import Limits, MediaFile
from workflows.errors import ActiveContent, UnreadableDocument

_SVG = "image/svg+xml"
_XHTML = "application/xhtml+xml"
_RTF_END_WITHIN = 1024
_MACRO_PART = re.compile(r"(?:.*/)?(?:vbaproject\.bin|vbadata\.xml)|xl/macrosheets/.+|(?:word|xl|ppt)/activex/.+\.bin")
# OpenDocument: every document has the lists of modules (script-lb.xml, script-lc.xml).
_BASIC_MODULE = re.compile(r"(?:basic/(?!.*script-l[bc]\.xml$).+\.xml|scripts/.+\.(?:py|js|bsh|java|class))")
_ZIPS = {ZIP, "application/epub+zip", *OOXML_FOLDERS.values()}


def inspect_document(file: MediaFile, limits: Limits) -> dict[str, Any]:
    """Return a more precise ``media_type`` if the whole file determines one, else nothing.

    Raises ActiveContent, DecompressionBomb, FileTooLarge or UnreadableDocument.
    """
    if file.media_type in PROGRAMS:
        raise ActiveContent(file.key, "is a program.", "Upload no programs.")
    inspect = _INSPECTORS.get(file.media_type)
    if file.media_type in _ZIPS or file.media_type.startswith("application/vnd.oasis.opendocument."):
        inspect = _inspect_zip
    if inspect is None:
        return {}
    with Path(file.path).open("rb") as content:
        media_type = inspect(content, file, limits)
    return {} if media_type in {None, file.media_type} else {"media_type": media_type}


def _inspect_zip(content: IO[bytes], file: MediaFile, limits: Limits) -> str | None:
    names = read_zip(content, _budget(file, limits), partial(_reader_of, file.key))
    if CONTENT_TYPES in names:
        folders = {name.partition("/")[0] for name in names if "/" in name}
        return next((media_type for folder, media_type in OOXML_FOLDERS.items() if folder in folders), None)
    if "androidmanifest.xml" in names:
        return "application/vnd.android.package-archive"
    return "application/java-archive" if "meta-inf/manifest.mf" in names and file.media_type == ZIP else None


def _reader_of(key: str, name: str, names: Set[str]) -> PartReader | None:
    """Return the reader of an entry, None for no markup. Raises ActiveContent by name."""
    name, is_office = name.lower(), CONTENT_TYPES in names
    if (is_office and _MACRO_PART.fullmatch(name)) or _BASIC_MODULE.fullmatch(name):
        raise ActiveContent(key, "has macros.", MACROS_REMEDY)
    is_read = name.endswith(".rels") or (is_office and name.endswith(".xml"))
    return PartReader(name, key, is_office=is_office) if is_read else None


def _inspect_packed(content: IO[bytes], file: MediaFile, limits: Limits) -> str | None:
    """Unpack a gzip, bzip2 or xz file. A gzipped SVG is inspected like any SVG."""
    head = read_packed(content, file.media_type, _budget(file, limits))
    if file.media_type != GZIP or sniff(head).media_type != _SVG:
        return None
    content.seek(0)
    with gzip.GzipFile(fileobj=content) as unpacked:
        refuse_xml_dangers(io.BufferedReader(unpacked), file.key, limits)
    return _SVG


def _inspect_compound(content: IO[bytes], file: MediaFile, limits: Limits) -> str | None:  # noqa: ARG001  one signature for all
    try:
        with mmap.mmap(content.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            names, is_installer = compound_files.names_in(mapped)
    except compound_files.BrokenCompoundFile as error:
        problem = f"is cut off or damaged: {error}."
        raise UnreadableDocument(file.key, problem, "Save it again and upload it.") from error
    if is_installer:
        raise ActiveContent(file.key, "is a program.", "Upload no programs.")
    if compound_files.ENCRYPTED_PACKAGE in names:
        raise UnreadableDocument(file.key, "is protected by a password.", "Upload it without a password.")
    if compound_files.MACRO_STORAGES.intersection(names):
        raise ActiveContent(file.key, "has macros.", MACROS_REMEDY)
    return compound_files.media_type_of(names)


def _inspect_xml(content: IO[bytes], file: MediaFile, limits: Limits) -> str | None:
    root = refuse_xml_dangers(content, file.key, limits)
    return {"svg": _SVG, "html": _XHTML}.get(root)


def _inspect_html(content: IO[bytes], file: MediaFile, limits: Limits) -> str | None:  # noqa: ARG001  one signature for all
    refuse_html_dangers(content, file.key)
    return None


def _inspect_rtf(content: IO[bytes], file: MediaFile, limits: Limits) -> str | None:  # noqa: ARG001  one signature for all
    text = content.read()
    if b"}" not in text[-_RTF_END_WITHIN:]:
        raise UnreadableDocument(file.key, "is cut off before its end.", "Save it again and upload it.")
    if re.search(rb"\\objupdate\b|\\objautlink\b", text):
        raise ActiveContent(file.key, "loads an object when it is opened.", "Save it as a PDF and upload that.")
    return None


def _budget(file: MediaFile, limits: Limits) -> Budget:
    return Budget(file.key, limits.max_unpacked_bytes, file.size_bytes)


_INSPECTORS: Mapping[str, Callable[[IO[bytes], MediaFile, Limits], str | None]] = {
    GZIP: _inspect_packed,
    BZIP2: _inspect_packed,
    XZ: _inspect_packed,
    OLE: _inspect_compound,
    _SVG: _inspect_xml,
    _XHTML: _inspect_xml,
    "text/xml": _inspect_xml,
    "text/html": _inspect_html,
    "application/rtf": _inspect_rtf,
}
