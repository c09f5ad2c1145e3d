"""Inspects PDFs: how many pages, whether all of them are there, and nothing in it that acts."""

import re
from pathlib import Path
from typing import Any

from lambdas.inspect_file.documents.pdf_objects import refuse_dangers
from lambdas.inspect_file.kinds.sniffing import HEAD_BYTES, PROGRAMS, sniff
from lambdas.shared.decoding.job import Limits, MediaFile
from lambdas.shared.media.pdfs import open_pdf, page_size
from workflows.errors import ActiveContent, FileTooLarge, UnreadablePdf

# Readers look for the end within the last 1,024 bytes; more may follow where a transfer added to it.
_END_WITHIN = 64 * 1024
_MAX_ATTACHMENTS = 1000
_PROGRAM_NAME = re.compile(
    r".*\.(apk|bat|chm|cmd|com|cpl|dll|exe|hta|jar|jse?|lnk|ms[ip]|pif|ps1|reg|scr|sh|vb[es]?|ws[fh])", re.I | re.S
)


def inspect_pdf(file: MediaFile, limits: Limits) -> dict[str, Any]:
    """Return ``pages``.

    Raises UnreadablePdf (broken, cut off, a password, pages that are missing or lead in a circle), FileTooLarge for
    too many pages or files in it, ActiveContent and DecompressionBomb.
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
        refuse_dangers(document, file.key, limits)
        return {"pages": pages}


def _refuse_cut_off(file: MediaFile) -> None:
    """PDFium repairs a file without its end, and shows what is left of it as if that were all."""
    with Path(file.path).open("rb") as content:
        content.seek(max(0, file.size_bytes - _END_WITHIN))
        if b"startxref" not in content.read():
            raise UnreadablePdf(file.key, "is cut off before its end.", "Upload the PDF again.")


def _refuse_programs(document: Any, key: str) -> None:
    """An invoice carries its figures as XML, which is fine; a program is not."""
    attachments = document.count_attachments()
    if attachments > _MAX_ATTACHMENTS:
        problem = f"is a PDF with {attachments:,} files in it, more than {_MAX_ATTACHMENTS:,}."
        raise FileTooLarge(key, problem, "Upload them one by one.")
    for number in range(attachments):
        attachment = document.get_attachment(number)
        name = attachment.get_name()
        if _PROGRAM_NAME.fullmatch(name) or _head_type(attachment) in PROGRAMS:
            raise ActiveContent(key, f"is a PDF with a program in it, {name[:60]!r}.", "Upload it without.")


def _head_type(attachment: Any) -> str:
    import pypdfium2  # type: ignore[import-untyped]  # it ships no types

    try:
        return sniff(bytes(attachment.get_data()[:HEAD_BYTES])).media_type
    except pypdfium2.PdfiumError:  # an attachment that is named and not there
        return ""
