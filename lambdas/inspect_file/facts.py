"""Reads the facts of one file: type, size, digest, and the decoder's findings."""

import logging
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from pydantic import ValidationError

from lambdas.inspect_file.sniffing import HEAD_BYTES, sniff
from lambdas.shared.decoding.decoder import Decoder
from lambdas.shared.decoding.job import Limits
from lambdas.shared.decoding.receiving import ReceivedFile, receive
from workflows.contracts.guard_report import FileFacts
from workflows.errors import DecoderCrashed

_MEDIA_TYPE = re.compile(r"[a-z]{1,20}/[a-z0-9][a-z0-9.+-]{0,99}")

_logger = logging.getLogger(__name__)


@cache
def decoder() -> Decoder:
    """Return the decoder processes that inspect."""
    return Decoder("lambdas.inspect_file.decoder_job")


def inspect_file(key: str, chunks: Iterable[bytes], limits: Limits) -> FileFacts:
    """Return the facts of a file, reading its ``chunks`` once. ``key`` names it in errors.

    Raises a leaf of FileRejected, and errors of the chunks.
    """
    decoder().prepare(limits)
    with receive(key, chunks, limits.max_bytes) as received:
        return complete(identify(received), received, key, limits)


def identify(received: ReceivedFile) -> FileFacts:
    """Return the facts that need no decoder: kind, media type, size and digest."""
    content = sniff(received.file.read(HEAD_BYTES))
    received.file.seek(0)
    return FileFacts(
        kind=content.kind, media_type=content.media_type, size_bytes=received.size_bytes, sha256=received.sha256
    )


def complete(known: FileFacts, received: ReceivedFile, key: str, limits: Limits) -> FileFacts:
    """Return the facts with the decoder's findings. Raises a leaf of FileRejected."""
    answer = decoder().run(received, key, known.media_type, limits, {"kind": known.kind.value}).answer
    try:
        return _facts(known, answer)
    except ValueError as error:  # a bug, or a decoder controlled by a hostile file
        problems = error.errors(include_url=False, include_input=False) if isinstance(error, ValidationError) else error
        _logger.warning("decoder returned invalid facts of %s: %s", key, problems)
        remedy = "Save it again in another format, and upload that."
        raise DecoderCrashed(key, "makes its decoder return invalid facts.", remedy) from None


def _facts(known: FileFacts, answer: Mapping[str, Any]) -> FileFacts:
    if not _MEDIA_TYPE.fullmatch(str(answer.get("media_type", known.media_type))):
        raise ValueError("media_type is invalid")
    received = {"size_bytes": known.size_bytes, "sha256": known.sha256}  # never from a decoder
    return FileFacts.model_validate({"kind": known.kind, "media_type": known.media_type, **answer, **received})
