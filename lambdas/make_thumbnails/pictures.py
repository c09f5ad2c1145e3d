"""Draws pictures and PDF pages, upright and in 8-bit sRGB, and encodes every size."""

from collections.abc import Sequence

import pyvips  # type: ignore[import-untyped]  # it ships no types

from lambdas.make_thumbnails.thumbnail_sizes import Drawn, ThumbnailSize
from lambdas.shared.decoding.job import Limits, MediaFile
from lambdas.shared.media.images import open_picture
from lambdas.shared.media.pdfs import open_pdf, page_size
from workflows.errors import UnreadablePdf

WEBP_QUALITY = 80
WEBP_EFFORT = 2  # 0 to 6: 3 takes twice the time to save five percent of the bytes
JPEG_QUALITY = 82
# Catmull-Rom, as in Pillow's thumbnail: as accurate as Lanczos, and faster.
_KERNEL = "cubic"
_WHITE = [255, 255, 255]
_PROFILE = "icc-profile-data"
_CMYK_BANDS = 4


def draw_picture(file: MediaFile, sizes: Sequence[ThumbnailSize], limits: Limits) -> list[Drawn]:
    """Return the thumbnails of a picture's first frame. Equal bytes give equal thumbnails.

    Raises UnreadableImage, and FileTooLarge over a limit, before memory is allocated for the pixels.
    """
    edge = max(size.edge for size in sizes)
    with open_picture(file, limits, edge) as picture:
        width, height = fit(picture.width, picture.height, edge)
        stored = (height, width) if picture.is_sideways else (width, height)
        # First, so that there are few pixels to convert and turn.
        small = shrink(picture.pixels, *stored).copy_memory()
        return encode_all(_in_srgb(small).autorot(), sizes)


def draw_page(file: MediaFile, sizes: Sequence[ThumbnailSize], limits: Limits) -> list[Drawn]:  # noqa: ARG001  one signature for all kinds
    """Return the thumbnails of a PDF's first page, on white, with form fields filled in.

    The page is drawn in the largest size, whatever its own, so no page is too large. Raises UnreadablePdf.
    """
    import pypdfium2  # type: ignore[import-untyped]  # it ships no types
    import pypdfium2.raw as pdfium  # type: ignore[import-untyped]

    edge = max(size.edge for size in sizes)
    with open_pdf(file.path, file.key) as document:
        width, height = page_size(document, 0, file.key)
        document.init_forms()  # without it, form fields stay empty
        try:
            page = document[0]
        except pypdfium2.PdfiumError as error:
            problem = "has a first page that cannot be read by PDFium."
            raise UnreadablePdf(file.key, problem, "Save the PDF again and upload it.") from error
        # Four bytes per pixel, so that there is no padding between rows.
        bitmap = page.render(
            scale=edge / max(width, height),
            rev_byteorder=True,
            fill_color=(*_WHITE, 255),
            force_bitmap_format=pdfium.FPDFBitmap_BGRx,
        )
        # A copy: PDFium's memory is freed with the document.
        pixels = pyvips.Image.new_from_memory(bytes(bitmap.buffer), bitmap.width, bitmap.height, 4, "uchar")
    return encode_all(pixels.extract_band(0, n=3).copy(interpretation="srgb"), sizes)


def encode_all(picture: pyvips.Image, sizes: Sequence[ThumbnailSize]) -> list[Drawn]:
    """Return an upright sRGB picture (RGB or RGBA, 8 bits) in each size, never enlarged.

    JPEG has no transparency: it is drawn on white. The picture is read once, from top to bottom. Equal pixels give
    equal bytes. Raises pyvips.Error.
    """
    whole = picture.width, picture.height
    shrunk: dict[int, pyvips.Image] = {}
    # Each size is shrunk from the next larger one, which is fast and looks the same.
    for edge in sorted({size.edge for size in sizes}, reverse=True):
        # Into memory: two encoders and the next size read it.
        shrunk[edge] = picture = shrink(picture, *fit(*whole, edge)).copy_memory()
    return [
        Drawn(size, shrunk[size.edge].width, shrunk[size.edge].height, _encode(shrunk[size.edge], size))
        for size in sizes
    ]


def fit(width: int, height: int, edge: int) -> tuple[int, int]:
    """Return the size that fits ``edge``, never enlarged, no side below 1."""
    scale = min(1.0, edge / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def shrink(picture: pyvips.Image, width: int, height: int) -> pyvips.Image:
    """Return the picture in another size. Colours of transparent pixels do not bleed."""
    if (picture.width, picture.height) == (width, height):
        return picture
    across, down = width / picture.width, height / picture.height
    if not picture.hasalpha():
        return picture.resize(across, vscale=down, kernel=_KERNEL)
    return picture.premultiply().resize(across, vscale=down, kernel=_KERNEL).unpremultiply().cast(picture.format)


def _encode(picture: pyvips.Image, size: ThumbnailSize) -> bytes:
    data: bytes
    if not size.is_jpeg:
        data = picture.webpsave_buffer(Q=WEBP_QUALITY, effort=WEBP_EFFORT, keep="none")
        return data
    if picture.hasalpha():
        picture = picture.flatten(background=_WHITE)
    # Not progressive: that takes twice the time, and a picture this small loads at once.
    data = picture.jpegsave_buffer(Q=JPEG_QUALITY, optimize_coding=True, keep="none")
    return data


def _in_srgb(image: pyvips.Image) -> pyvips.Image:
    """Return the image as RGB or RGBA in sRGB, without a wrong or broken profile."""
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
    converted = image.icc_transform("srgb", intent="relative", black_point_compensation=True, **profile)
    return _with_three_or_four_bands(converted.cast("uchar")).copy_memory()  # now, since errors come with the pixels


def _with_three_or_four_bands(image: pyvips.Image) -> pyvips.Image:
    return image[:4] if image.bands > 4 else image
