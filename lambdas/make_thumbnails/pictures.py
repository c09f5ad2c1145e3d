"""Draws pictures so that any program shows them alike: upright, in sRGB, 8 bits, without metadata."""

from collections.abc import Sequence

import pyvips  # type: ignore[import-untyped]  # it ships no types

from lambdas.make_thumbnails.encoding import Drawn, encode_all, fit, shrink
from lambdas.make_thumbnails.thumbnail_sizes import ThumbnailSize
from lambdas.shared.decoding.job import Limits, MediaFile
from lambdas.shared.media.images import Picture, open_picture

_PROFILE = "icc-profile-data"
_CMYK_BANDS = 4


def draw_picture(file: MediaFile, sizes: Sequence[ThumbnailSize], limits: Limits) -> list[Drawn]:
    """Return a picture's thumbnails, of its first frame, in the order of ``sizes``. The same bytes give the same.

    Raises UnreadableImage, and FileTooLarge over a limit, before memory is taken for the pixels.
    """
    edge = max(size.edge for size in sizes)
    with open_picture(file, limits, edge) as picture:
        small = _shrink_as_stored(picture, edge)  # first, since turning and colours then have little to do
        return encode_all(_in_srgb(small).autorot(), sizes)


def _shrink_as_stored(picture: Picture, edge: int) -> pyvips.Image:
    width, height = fit(picture.width, picture.height, edge)
    size = (height, width) if picture.is_sideways else (width, height)
    return shrink(picture.pixels, *size).copy_memory()


def _in_srgb(image: pyvips.Image) -> pyvips.Image:
    """Return the image as RGB or RGBA in sRGB; a profile that does not fit or is broken is left out."""
    if image.get_typeof(_PROFILE):
        try:
            return _by_profile(image, embedded=True)
        except pyvips.Error:
            image = image.copy()
            image.remove(_PROFILE)
    if image.interpretation == "cmyk" and image.bands >= _CMYK_BANDS:
        return _by_profile(image, input_profile="cmyk")
    if image.interpretation == "multiband":
        image = image.copy(interpretation="srgb" if image.bands > 2 else "b-w")
    return _with_three_or_four_bands(image.colourspace("srgb").cast("uchar"))


def _by_profile(image: pyvips.Image, **profile: object) -> pyvips.Image:
    turned = image.icc_transform("srgb", intent="relative", black_point_compensation=True, **profile)
    return _with_three_or_four_bands(turned.cast("uchar")).copy_memory()  # now, since errors come with the pixels


def _with_three_or_four_bands(image: pyvips.Image) -> pyvips.Image:
    return image[:4] if image.bands > 4 else image
