"""Decoder job that draws a file.

The decoder of pictures is imported at once, since most files are photos, FFmpeg with the first file that needs it.
"""

from collections.abc import Mapping
from typing import Any

from lambdas.make_thumbnails.pictures import draw_page, draw_picture
from lambdas.make_thumbnails.thumbnail_sizes import ThumbnailSize
from lambdas.shared.decoding.job import Decoded, Limits, MediaFile


def job(file: MediaFile, limits: Limits, given: Mapping[str, Any]) -> Decoded:
    """Draw a file of ``given["kind"]`` in each of ``given["sizes"]``.

    The answer lists the name, media type, width and height of each picture.
    """
    draw = draw_picture if given["kind"] == "image" else draw_page
    if given["kind"] in {"video", "audio"}:
        from lambdas.make_thumbnails.recordings import draw_audio, draw_video

        draw = draw_video if given["kind"] == "video" else draw_audio
    drawn = draw(file, [ThumbnailSize(**size) for size in given["sizes"]], limits)
    listed = [[picture.size.name, picture.size.media_type, picture.width, picture.height] for picture in drawn]
    return Decoded({"drawn": listed}, [picture.data for picture in drawn])
