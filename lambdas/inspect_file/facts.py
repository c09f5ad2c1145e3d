"""Reads the facts of one file: what it is, how large, its digest, and its pixels or pages."""

from collections.abc import Iterable
from typing import Any

from lambdas.inspect_file.kinds import HEAD_BYTES, sniff
from lambdas.shared.limits import Limits
from lambdas.shared.receiving import ReceivedFile, receive
from workflows.contracts.guard_report import FileFacts, FileKind

# To know that a picture is whole it is decoded at the coarsest that its format allows.
_COARSEST_EDGE = 1


def inspect_file(key: str, chunks: Iterable[bytes], limits: Limits) -> FileFacts:
    """Return the facts of a file, whose ``chunks`` are read once. ``key`` names it in errors.

    Raises a leaf of FileRejected for what can not be processed, and what reading the chunks raises.
    """
    with receive(key, chunks, limits.max_bytes) as received:
        content = sniff(_head(received))
        return FileFacts(
            kind=content.kind,
            media_type=content.media_type,
            size_bytes=received.size_bytes,
            sha256=received.sha256,
            **_facts_of(content.kind, received, key, limits),
        )


def _head(received: ReceivedFile) -> bytes:
    head = received.file.read(HEAD_BYTES)
    received.file.seek(0)
    return head


def _facts_of(kind: FileKind, received: ReceivedFile, key: str, limits: Limits) -> dict[str, Any]:
    match kind:
        case FileKind.IMAGE:
            from lambdas.shared.images import read_picture

            picture = read_picture(received.file, key, limits.max_pixels, _COARSEST_EDGE)
            return {"width": picture.width, "height": picture.height}
        case FileKind.PDF:
            from lambdas.shared.pdfs import open_pdf

            with open_pdf(received.file, key) as document:
                return {"pages": len(document)}
        case FileKind.OTHER:
            return {}
