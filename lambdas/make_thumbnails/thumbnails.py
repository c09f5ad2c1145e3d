"""Makes the thumbnails of one file and stores them once per content."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import cache

from lambdas.make_thumbnails.thumbnail_sizes import PREVIEW_SIZE, Drawn, ThumbnailSize, size_of
from lambdas.shared.decoding.decoder import Decoder
from lambdas.shared.decoding.job import Decoded, Limits
from lambdas.shared.decoding.receiving import ReceivedFile, receive
from lambdas.shared.storage.objects import ObjectStore
from workflows.contracts.guard_report import (
    DRAWN_KINDS,
    NO_PICTURE,
    FileFacts,
    FileKind,
    StoredFile,
    Thumbnail,
    ThumbnailSet,
)
from workflows.errors import DecoderCrashed, FileMissing


@cache
def decoder() -> Decoder:
    """Return the decoder processes that draw."""
    return Decoder("lambdas.make_thumbnails.decoder_job")


def make_thumbnails(
    file: StoredFile, facts: FileFacts, objects: ObjectStore, sizes: Sequence[ThumbnailSize], limits: Limits
) -> ThumbnailSet:
    """Store and return a file's thumbnails in the order of ``sizes``, a video's preview last.

    Safe to retry and to run concurrently: keys come from the content's digest, and equal content gives equal bytes. If
    all thumbnails exist, the file is neither read nor decoded. Raises a leaf of FileRejected, or StorageUnavailable.
    """
    if facts.kind not in DRAWN_KINDS:
        return ThumbnailSet(thumbnails=[], reason=NO_PICTURE)
    drawn = _find(facts, objects, sizes_of(facts.kind, sizes)) or _make(file, facts, objects, sizes, limits)
    thumbnails = [
        Thumbnail(
            size=one.size.name,
            key=one.size.key_of(facts.sha256),
            media_type=one.size.media_type,
            width=one.width,
            height=one.height,
            size_bytes=len(one.data),
        )
        for one in drawn
    ]
    return ThumbnailSet(thumbnails=thumbnails)


def sizes_of(kind: FileKind, sizes: Sequence[ThumbnailSize]) -> Sequence[ThumbnailSize]:
    """Return the sizes for a kind of file."""
    return [*sizes, PREVIEW_SIZE] if kind is FileKind.VIDEO else sizes


def draw(
    received: ReceivedFile, facts: FileFacts, key: str, sizes: Sequence[ThumbnailSize], limits: Limits
) -> list[Drawn]:
    """Return the thumbnails of a file of one of DRAWN_KINDS. Raises a leaf of FileRejected."""
    wanted = sizes_of(facts.kind, sizes)
    given = {"kind": facts.kind.value, "sizes": [asdict(size) for size in wanted]}
    drawn = _checked(decoder().run(received, key, facts.media_type, limits, given), wanted)
    if drawn is None:  # a bug, or a decoder controlled by a hostile file
        remedy = "Save it again in another format, and upload that."
        raise DecoderCrashed(key, "makes its decoder return the wrong pictures.", remedy)
    return drawn


def _checked(done: Decoded, wanted: Sequence[ThumbnailSize]) -> list[Drawn] | None:
    """Return the pictures if they are the wanted ones, as their headers say; else None."""
    listed, drawn = done.answer.get("drawn"), []
    if not isinstance(listed, list) or not len(listed) == len(done.files) == len(wanted):
        return None
    for size, entry, data in zip(wanted, listed, done.files, strict=True):
        pixels = size_of(data, size.media_type)
        if pixels is None or entry != [size.name, size.media_type, *pixels] or max(pixels) > size.edge:
            return None
        drawn.append(Drawn(size, *pixels, data))
    return drawn


def _make(
    file: StoredFile, facts: FileFacts, objects: ObjectStore, sizes: Sequence[ThumbnailSize], limits: Limits
) -> list[Drawn]:
    decoder().prepare(limits)
    with receive(file.key, objects.chunks(file.key), limits.max_bytes) as received:
        if received.sha256 != facts.sha256:  # else the digest would name other content for ever
            raise FileMissing(file.key, "was changed after it was inspected.", "Upload the file again.")
        drawn = draw(received, facts, file.key, sizes, limits)
    for one in drawn:
        objects.write(one.size.key_of(facts.sha256), one.data, one.size.media_type)
    return drawn


def _find(facts: FileFacts, objects: ObjectStore, sizes: Sequence[ThumbnailSize]) -> list[Drawn]:
    """Return an earlier attempt's thumbnails if complete and in today's sizes, else none.

    Reads the last one first, since it is written last: usually one read shows that there are none.
    """
    found = []
    longest_side = max(facts.width or 0, facts.height or 0)
    try:
        for size in reversed(sizes):
            data = objects.read(size.key_of(facts.sha256))
            pixels = size_of(data, size.media_type)
            if pixels is None or max(pixels) != min(size.edge, longest_side or size.edge):
                return []
            found.append(Drawn(size, *pixels, data))
    except FileMissing:
        return []
    return found[::-1]
