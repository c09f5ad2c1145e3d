"""Reads the facts of a picture, and whether it is whole."""

from typing import Any

from lambdas.shared.decoding.job import Limits, MediaFile
from lambdas.shared.media.images import facts_of, open_picture

# To know that a picture is whole it is decoded at the coarsest that its format allows.
_COARSEST_EDGE = 1


def inspect_picture(file: MediaFile, limits: Limits) -> dict[str, Any]:
    """Return fields of FileFacts: width and height as it is seen, frames if several, and what the camera wrote.

    Every byte that the first frame needs is read, so a truncated file does not pass.
    Raises UnreadableImage, and FileTooLarge over a limit, before memory is taken for the pixels.
    """
    with open_picture(file, limits, _COARSEST_EDGE) as picture:
        picture.pixels.avg()  # reads all of it, and keeps none
        facts: dict[str, Any] = {"width": picture.width, "height": picture.height}
        if picture.frames > 1:
            facts["frames"] = picture.frames
        return {**facts, **facts_of(picture.exif)}
