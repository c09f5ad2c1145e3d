"""Makes the thumbnails of one file and puts them in the store, once for each content."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import cache

from lambdas.make_thumbnails.encoding import Drawn
from lambdas.make_thumbnails.picture_headers import size_of
from lambdas.make_thumbnails.thumbnail_sizes import PREVIEW_SIZE, ThumbnailSize
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
    """Return the processes that draw."""
    return Decoder("lambdas.make_thumbnails.decoder_job")


def make_thumbnails(
    file: StoredFile, facts: FileFacts, objects: ObjectStore, sizes: Sequence[ThumbnailSize], limits: Limits
) -> ThumbnailSet:
    """Return a file's thumbnails in the order of ``sizes``, a video's preview last, once they lie in the store.

    Safe to retry, and to run twice at a time: keys come from the content's digest, and the same content
    gives the same bytes. Where all are there already, the file is neither read nor decoded again.
    Raises a leaf of FileRejected, or StorageUnavailable.
    """
    if facts.kind not in DRAWN_KINDS:
        return ThumbnailSet(thumbnails=[], reason=NO_PICTURE)
    thumbnails = _find(facts, objects, sizes_of(facts.kind, sizes))
    if thumbnails is None:
        thumbnails = _make(file, facts, objects, sizes, limits)
    return ThumbnailSet(thumbnails=thumbnails)


def sizes_of(kind: FileKind, sizes: Sequence[ThumbnailSize]) -> Sequence[ThumbnailSize]:
    """Return the sizes that a file of a kind has."""
    return [*sizes, PREVIEW_SIZE] if kind is FileKind.VIDEO else sizes


def draw(
    received: ReceivedFile, facts: FileFacts, key: str, sizes: Sequence[ThumbnailSize], limits: Limits
) -> list[Drawn]:
    """Return the pictures of a file of one of DRAWN_KINDS. Raises a leaf of FileRejected."""
    wanted = sizes_of(facts.kind, sizes)
    given = {"kind": facts.kind.value, "sizes": [asdict(size) for size in wanted]}
    done = decoder().run(received, key, facts.media_type, limits, given)
    drawn = _drawn(done, wanted)
    if drawn is None:  # of a bug, or of a decoder that a file has taken over
        remedy = "Save it again in another format, and upload that."
        raise DecoderCrashed(key, "makes its decoder draw what was not asked for.", remedy)
    return drawn


def _drawn(done: Decoded, wanted: Sequence[ThumbnailSize]) -> list[Drawn] | None:
    """Return what a job says it has drawn, if it is what it says, and all that was wanted, in its order."""
    said, drawn = done.answer.get("drawn"), []
    if not isinstance(said, list) or not len(said) == len(done.files) == len(wanted):
        return None
    for size, entry, data in zip(wanted, said, done.files, strict=True):
        pixels = size_of(data, size.media_type)
        if pixels is None or entry != [size.name, size.media_type, *pixels] or max(pixels) > size.edge:
            return None
        drawn.append(Drawn(size, *pixels, data))
    return drawn


def _make(
    file: StoredFile, facts: FileFacts, objects: ObjectStore, sizes: Sequence[ThumbnailSize], limits: Limits
) -> list[Thumbnail]:
    decoder().prepare(limits)
    with receive(file.key, objects.chunks(file.key), limits.max_bytes) as received:
        if received.sha256 != facts.sha256:  # else other content would lie under the digest for ever
            raise FileMissing(file.key, "has other content than when it was inspected.", "Upload the file again.")
        drawn = draw(received, facts, file.key, sizes, limits)
    thumbnails = []
    for picture in drawn:
        pixels = (picture.width, picture.height)
        thumbnail = _thumbnail(picture.size, facts.sha256, pixels, len(picture.data))
        objects.write(thumbnail.key, picture.data, thumbnail.media_type)
        thumbnails.append(thumbnail)
    return thumbnails


def _find(facts: FileFacts, objects: ObjectStore, sizes: Sequence[ThumbnailSize]) -> list[Thumbnail] | None:
    """Return the thumbnails that an earlier attempt has left, if all are there and in today's sizes.

    The last one is read first, since it is written last: mostly one read shows that there are none.
    """
    found = []
    try:
        for size in reversed(sizes):
            data = objects.read(size.key_of(facts.sha256))
            pixels = size_of(data, size.media_type)
            if pixels is None or max(pixels) != min(
                size.edge, max(facts.width or size.edge, facts.height or size.edge)
            ):
                return None
            found.append(_thumbnail(size, facts.sha256, pixels, len(data)))
    except FileMissing:
        return None
    return found[::-1]


def _thumbnail(size: ThumbnailSize, sha256: str, pixels: tuple[int, int], size_bytes: int) -> Thumbnail:
    return Thumbnail(
        size=size.name,
        key=size.key_of(sha256),
        media_type=size.media_type,
        width=pixels[0],
        height=pixels[1],
        size_bytes=size_bytes,
    )
