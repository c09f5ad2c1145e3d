"""Decoder job that draws a file, and imports each library on first use."""

from collections.abc import Mapping
from typing import Any

from lambdas.make_thumbnails.thumbnail_sizes import ThumbnailSize
from lambdas.shared.decoding.job import Decoded, Limits, MediaFile

# Most files are photos: load their decoder before the first one.
WARM = ("lambdas.make_thumbnails.pictures",)


def job(file: MediaFile, limits: Limits, given: Mapping[str, Any]) -> Decoded:
    """Draw a file of ``given["kind"]`` in each of ``given["sizes"]``.

    The answer lists the name, media type, width and height of each picture.
    """
    match given["kind"]:
        case "image":
            from lambdas.make_thumbnails.pictures import draw_picture as draw
        case "video":
            from lambdas.make_thumbnails.recordings import draw_video as draw
        case "audio":
            from lambdas.make_thumbnails.recordings import draw_audio as draw
        case _:
            from lambdas.make_thumbnails.pictures import draw_page as draw
    drawn = draw(file, [ThumbnailSize(**size) for size in given["sizes"]], limits)
    listed = [[picture.size.name, picture.size.media_type, picture.width, picture.height] for picture in drawn]
    return Decoded({"drawn": listed}, [picture.data for picture in drawn])
