"""Makes the thumbnails of one file and puts them in the store, once for each content."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import cache

from lambdas.make_thumbnails.encoding import Drawn
from lambdas.make_thumbnails.picture_headers import size_of
from lambdas.make_thumbnails.thumbnail_sizes import PREVIEW_FORM, Form
from lambdas.shared.decoding.job import Decoded
from lambdas.shared.decoding.limits import Limits
from lambdas.shared.decoding.process import Decoder
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
    file: StoredFile, facts: FileFacts, objects: ObjectStore, forms: Sequence[Form], limits: Limits
) -> ThumbnailSet:
    """Return a file's thumbnails in the order of ``forms``, a video's preview last, once they lie in the store.

    Safe to retry, and to run twice at a time: keys come from the content's digest, and the same content
    gives the same bytes. Where all are there already, the file is neither read nor decoded again.
    Raises a leaf of FileRejected, or StorageUnavailable.
    """
    if facts.kind not in DRAWN_KINDS:
        return ThumbnailSet(thumbnails=[], reason=NO_PICTURE)
    thumbnails = _find(facts, objects, forms_of(facts.kind, forms))
    if thumbnails is None:
        thumbnails = _make(file, facts, objects, forms, limits)
    return ThumbnailSet(thumbnails=thumbnails)


def forms_of(kind: FileKind, forms: Sequence[Form]) -> Sequence[Form]:
    """Return the forms that a file of a kind has."""
    return [*forms, PREVIEW_FORM] if kind is FileKind.VIDEO else forms


def draw(received: ReceivedFile, facts: FileFacts, key: str, forms: Sequence[Form], limits: Limits) -> list[Drawn]:
    """Return the pictures of a file of one of DRAWN_KINDS. Raises a leaf of FileRejected."""
    wanted = forms_of(facts.kind, forms)
    given = {"kind": facts.kind.value, "forms": [asdict(form) for form in wanted]}
    done = decoder().run(received, key, facts.media_type, limits, given)
    drawn = _drawn(done, wanted)
    if drawn is None:  # of a bug, or of a decoder that a file has taken over
        remedy = "Save it again in another format, and upload that."
        raise DecoderCrashed(key, "makes its decoder draw what was not asked for.", remedy)
    return drawn


def _drawn(done: Decoded, wanted: Sequence[Form]) -> list[Drawn] | None:
    """Return what a job says it has drawn, if it is what it says, and all that was wanted, in its order."""
    said, drawn = done.answer.get("drawn"), []
    if not isinstance(said, list) or not len(said) == len(done.files) == len(wanted):
        return None
    for form, entry, data in zip(wanted, said, done.files, strict=True):
        size = size_of(data, form.media_type)
        if size is None or entry != [form.name, form.media_type, *size] or max(size) > form.edge:
            return None
        drawn.append(Drawn(form, *size, data))
    return drawn


def _make(
    file: StoredFile, facts: FileFacts, objects: ObjectStore, forms: Sequence[Form], limits: Limits
) -> list[Thumbnail]:
    decoder().prepare(limits)
    with receive(file.key, objects.chunks(file.key), limits.max_bytes) as received:
        if received.sha256 != facts.sha256:  # else other content would lie under the digest for ever
            raise FileMissing(file.key, "has other content than when it was inspected.", "Upload the file again.")
        drawn = draw(received, facts, file.key, forms, limits)
    thumbnails = []
    for picture in drawn:
        size = (picture.width, picture.height)
        thumbnail = _thumbnail(picture.form, facts.sha256, size, len(picture.data))
        objects.write(thumbnail.key, picture.data, thumbnail.media_type)
        thumbnails.append(thumbnail)
    return thumbnails


def _find(facts: FileFacts, objects: ObjectStore, forms: Sequence[Form]) -> list[Thumbnail] | None:
    """Return the thumbnails that an earlier attempt has left, if all are there and in today's sizes.

    The last one is looked for first, since it is written last: mostly one look says that there are none.
    """
    found = []
    try:
        for form in reversed(forms):
            data = objects.read(form.key_of(facts.sha256))
            size = size_of(data, form.media_type)
            if size is None or max(size) != min(form.edge, max(facts.width or form.edge, facts.height or form.edge)):
                return None
            found.append(_thumbnail(form, facts.sha256, size, len(data)))
    except FileMissing:
        return None
    return found[::-1]


def _thumbnail(form: Form, sha256: str, size: tuple[int, int], size_bytes: int) -> Thumbnail:
    return Thumbnail(
        size=form.name,
        key=form.key_of(sha256),
        media_type=form.media_type,
        width=size[0],
        height=size[1],
        size_bytes=size_bytes,
    )
