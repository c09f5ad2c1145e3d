"""What the decoder's process runs to draw a file: one job for each kind. A decoder is imported by its first file."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lambdas.make_thumbnails.thumbnail_sizes import Form
from lambdas.shared.decoding.jobs import Decoded, Jobs, MediaFile
from lambdas.shared.decoding.limits import Limits

if TYPE_CHECKING:
    from lambdas.make_thumbnails.encoding import Drawn

# Most files are photos: their decoder is there before the first one.
WARM = ("lambdas.make_thumbnails.pictures",)


def _draw_image(file: MediaFile, limits: Limits, given: Mapping[str, Any]) -> Decoded:
    from lambdas.make_thumbnails.pictures import draw_picture

    return _decoded(draw_picture(file, _forms(given), limits))


def _draw_video(file: MediaFile, limits: Limits, given: Mapping[str, Any]) -> Decoded:
    from lambdas.make_thumbnails.movies import draw_movie

    return _decoded(draw_movie(file, _forms(given), limits))


def _draw_audio(file: MediaFile, limits: Limits, given: Mapping[str, Any]) -> Decoded:
    from lambdas.make_thumbnails.sounds import draw_sound

    return _decoded(draw_sound(file, _forms(given), limits))


def _draw_pdf(file: MediaFile, limits: Limits, given: Mapping[str, Any]) -> Decoded:
    from lambdas.make_thumbnails.pages import draw_page

    return _decoded(draw_page(file, _forms(given), limits))


def _forms(given: Mapping[str, Any]) -> list[Form]:
    return [Form(**form) for form in given["forms"]]


def _decoded(drawn: "Sequence[Drawn]") -> Decoded:
    """Return the files, and for each which form it is: its name, media type, width and height."""
    said = [[picture.form.name, picture.form.media_type, picture.width, picture.height] for picture in drawn]
    return Decoded({"drawn": said}, [picture.data for picture in drawn])


JOBS: Jobs = {"image": _draw_image, "video": _draw_video, "audio": _draw_audio, "pdf": _draw_pdf}
