"""Makes the thumbnails of one file and puts them in the store, once for each content."""

import io
from collections.abc import Sequence

from PIL import Image, UnidentifiedImageError

from lambdas.make_thumbnails.drawing import draw, encode, fit, shrink
from lambdas.make_thumbnails.forms import Form
from lambdas.shared.limits import Limits
from lambdas.shared.objects import ObjectStore
from lambdas.shared.receiving import receive
from workflows.contracts.guard_report import FileFacts, FileKind, StoredFile, Thumbnail
from workflows.errors import FileMissing


def make_thumbnails(
    file: StoredFile, facts: FileFacts, objects: ObjectStore, forms: Sequence[Form], limits: Limits
) -> list[Thumbnail]:
    """Return a file's thumbnails in the order of ``forms``, once they lie in the store.

    Safe to retry, and to run twice at a time: keys come from the content's digest, and the same content
    gives the same bytes. Where all are there already, the file is not read again.
    Raises a leaf of FileRejected, or StorageUnavailable.
    """
    if facts.kind is FileKind.OTHER:
        return []
    return _find(facts, objects, forms) or _make(file, facts, objects, forms, limits)


def draw_all(drawing: Image.Image, forms: Sequence[Form]) -> dict[Form, tuple[Image.Image, bytes]]:
    """Return each form's picture and file. Each is shrunk from the next larger one, which is quick and looks alike."""
    drawn: dict[Form, tuple[Image.Image, bytes]] = {}
    image = drawing
    for form in sorted(forms, key=lambda form: -form.edge):
        image = shrink(image, fit(*image.size, form.edge))
        drawn[form] = (image, encode(image, form))
    return {form: drawn[form] for form in forms}


def _make(
    file: StoredFile, facts: FileFacts, objects: ObjectStore, forms: Sequence[Form], limits: Limits
) -> list[Thumbnail]:
    with receive(file.key, objects.chunks(file.key), limits.max_bytes) as received:
        if received.sha256 != facts.sha256:  # else other content would lie under the digest for ever
            raise FileMissing(file.key, "has other content than when it was inspected.", "Upload the file again.")
        drawing = draw(received.file, facts.kind, file.key, max(form.edge for form in forms), limits.max_pixels)
    thumbnails = []
    for form, (image, data) in draw_all(drawing, forms).items():
        thumbnail = _thumbnail(form, facts.sha256, image.size, len(data))
        objects.write(thumbnail.key, data, form.media_type)
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
            with Image.open(io.BytesIO(data)) as image:  # reads the header only
                size = image.size
            if max(size) != min(form.edge, max(facts.width or form.edge, facts.height or form.edge)):
                return None
            found.append(_thumbnail(form, facts.sha256, size, len(data)))
    except (FileMissing, UnidentifiedImageError):
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
