"""The job of the decoder's process that draws a file. A library is imported by the first file that needs it."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lambdas.make_thumbnails.thumbnail_sizes import ThumbnailSize
from lambdas.shared.decoding.job import Decoded, Limits, MediaFile

if TYPE_CHECKING:
    from lambdas.make_thumbnails.encoding import Drawn

# Most files are photos: their decoder is there before the first one.
WARM = ("lambdas.make_thumbnails.pictures",)


def job(file: MediaFile, limits: Limits, given: Mapping[str, Any]) -> Decoded:
    """Draw a file of ``given["kind"]`` in each of ``given["sizes"]``.

    The answer says of each picture which size it is: its name, media type, width and height.
    """
    drawn = _drawer_of(given["kind"])(file, [ThumbnailSize(**size) for size in given["sizes"]], limits)
    said = [[picture.size.name, picture.size.media_type, picture.width, picture.height] for picture in drawn]
    return Decoded({"drawn": said}, [picture.data for picture in drawn])


def _drawer_of(kind: str) -> "Callable[[MediaFile, Sequence[ThumbnailSize], Limits], list[Drawn]]":
    match kind:
        case "image":
            from lambdas.make_thumbnails.pictures import draw_picture

            return draw_picture
        case "video":
            from lambdas.make_thumbnails.movies import draw_movie

            return draw_movie
        case "audio":
            from lambdas.make_thumbnails.sounds import draw_sound

            return draw_sound
    from lambdas.make_thumbnails.pages import draw_page

    return draw_page
