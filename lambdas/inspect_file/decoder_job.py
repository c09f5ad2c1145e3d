"""Decoder job that inspects a file.

The decoder of pictures is imported at once, since most files are photos, each other with the first file that needs it.
"""

from collections.abc import Mapping
from typing import Any

from lambdas.inspect_file.polyglots import refuse_ambiguous
from lambdas.shared.decoding.job import Decoded, Limits, MediaFile
from lambdas.shared.media.images import facts_of, open_picture

# Decoding at the coarsest scale is enough to find out whether a picture is complete.
_COARSEST_EDGE = 1


def job(file: MediaFile, limits: Limits, given: Mapping[str, Any]) -> Decoded:
    """Return the facts of a file of ``given["kind"]``. Raises AmbiguousContent and the inspection's errors."""
    refuse_ambiguous(file)
    match given["kind"]:
        case "image":
            return Decoded(inspect_picture(file, limits))
        case "video" | "audio":
            from lambdas.inspect_file.recordings import inspect_recording as inspect
        case "pdf":
            from lambdas.inspect_file.documents.pdfs import inspect_pdf as inspect
        case _:
            from lambdas.inspect_file.documents.documents import inspect_document as inspect
    return Decoded(inspect(file, limits))


def inspect_picture(file: MediaFile, limits: Limits) -> dict[str, Any]:
    """Return width and height as displayed, ``frames`` if several, and EXIF as fields of FileFacts.

    Reads the whole first frame, to find truncated files. Raises UnreadableImage, and FileTooLarge over a limit, before
    memory is allocated for the pixels.
    """
    with open_picture(file, limits, _COARSEST_EDGE) as picture:
        picture.pixels.avg()  # reads all of it, and keeps none
        facts: dict[str, Any] = {"width": picture.width, "height": picture.height}
        if picture.frames > 1:
            facts["frames"] = picture.frames
        return {**facts, **facts_of(picture.exif)}
