"""Turns a file's content into pictures that any program shows alike: upright, sRGB, without metadata."""

import io
from typing import IO

from PIL import Image, ImageCms

from lambdas.make_thumbnails.forms import Form
from lambdas.shared.images import read_picture
from lambdas.shared.pdfs import open_pdf
from workflows.contracts.guard_report import FileKind
from workflows.errors import UnreadablePdf

# A JPEG is decoded at the coarsest eighth that still has this many pixels for each one needed:
# half again as many look the same as all of them, at half the time.
_PIXELS_FOR_ONE = 1.5
WEBP_QUALITY = 80
WEBP_EFFORT = 2  # 0 to 6: 3 takes twice the time for five percent of the bytes
JPEG_QUALITY = 82
_WHITE = (255, 255, 255)
_MODES_OF_SPACE = {"RGB": ("RGB", "RGBA"), "GRAY": ("L",), "CMYK": ("CMYK",)}


def draw(file: IO[bytes], kind: FileKind, key: str, edge: int, max_pixels: int) -> Image.Image:
    """Return a picture of the file, RGB or RGBA, its longer side at most ``edge`` pixels.

    The same bytes give the same picture. ``key`` names the file in errors.
    Raises UnreadableImage, UnreadablePdf or FileTooLarge.
    """
    if kind is FileKind.PDF:
        return _draw_first_page(file, key, edge)
    picture = read_picture(file, key, max_pixels, round(edge * _PIXELS_FOR_ONE))
    profile = picture.image.info.get("icc_profile")
    width, height = fit(picture.width, picture.height, edge)
    stored_size = (height, width) if picture.is_sideways else (width, height)
    small = shrink(_in_eight_bits(picture.image), stored_size)
    return _upright(_in_srgb(small, profile), picture.orientation)


def fit(width: int, height: int, edge: int) -> tuple[int, int]:
    """Return the size with the longer side at most ``edge``, never larger than it was, no side below 1."""
    scale = min(1.0, edge / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def shrink(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return the image in another size. Transparent pixels do not bleed their colour into others."""
    if image.size == size:
        return image
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def encode(image: Image.Image, form: Form) -> bytes:
    """Return the file of one thumbnail, with pixels only: no EXIF, no XMP, no profile, no comment."""
    out = io.BytesIO()
    if form.is_jpeg:
        _on_white(image).save(out, "JPEG", quality=JPEG_QUALITY, optimize=True, progressive=True)
    else:
        image.save(out, "WEBP", quality=WEBP_QUALITY, method=WEBP_EFFORT)
    return out.getvalue()


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """Return the image in a mode that can be resized well and given a profile: L, RGB, RGBA or CMYK."""
    if image.has_transparency_data:
        return image if image.mode == "RGBA" else image.convert("RGBA")
    if image.mode.startswith("I"):  # 16-bit grey, which a plain conversion would cut off at 255
        return image.point(lambda value: value / 256).convert("L")
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in {"L", "RGB", "CMYK"} else image.convert("RGB")


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the image as RGB or RGBA in sRGB; a profile that does not fit or is broken is left out."""
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    converted = (_by_profile(image, profile, mode) if profile else None) or image.convert(mode)
    converted.info = {}  # encoders write what they find here
    return converted


def _by_profile(image: Image.Image, profile: bytes, mode: str) -> Image.Image | None:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        if space == "RGB" and image.mode == "L":
            image = image.convert("RGB")
        if image.mode not in _MODES_OF_SPACE.get(space, ()):
            return None
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


# https://www.cipa.jp/std/documents/download_e.html?DC-008-Translation-2023-E 4.6.5.1.6, as Pillow's own steps
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    page = Image.new("RGB", image.size, _WHITE)
    page.paste(image, mask=image.getchannel("A"))
    return page


def _draw_first_page(file: IO[bytes], key: str, edge: int) -> Image.Image:
    with open_pdf(file, key) as document:
        document.init_forms()  # without it the fields that somebody filled in stay empty
        page = document[0]
        width, height = page.get_size()
        if not (width > 0 and height > 0):
            raise UnreadablePdf(key, "has a first page without a size.", "Save the PDF again and upload it.")
        rendered: Image.Image = page.render(scale=edge / max(width, height), rev_byteorder=True).to_pil()
        # A copy: PDFium's own memory ends with the document.
        return shrink(rendered.convert("RGB").copy(), fit(*rendered.size, edge))
