"""Draws the first page of a PDF."""

from collections.abc import Sequence

import pyvips  # type: ignore[import-untyped]  # it ships no types

from lambdas.make_thumbnails.encoding import Drawn, encode_all
from lambdas.make_thumbnails.thumbnail_sizes import ThumbnailSize
from lambdas.shared.decoding.job import Limits, MediaFile
from lambdas.shared.media.pdfs import open_pdf, page_size
from workflows.errors import UnreadablePdf

_SRGB = "srgb"


def draw_page(file: MediaFile, sizes: Sequence[ThumbnailSize], limits: Limits) -> list[Drawn]:  # noqa: ARG001  as every medium
    """Return each size of the first page, on white, with the fields that somebody filled in.

    The page is drawn as large as the largest of them, whatever its own size is, so that no page is too large.
    Raises UnreadablePdf.
    """
    return encode_all(_drawn(file, max(size.edge for size in sizes)), sizes)


def _drawn(file: MediaFile, edge: int) -> pyvips.Image:
    import pypdfium2  # type: ignore[import-untyped]  # it ships no types
    import pypdfium2.raw as pdfium  # type: ignore[import-untyped]

    with open_pdf(file.path, file.key) as document:
        width, height = page_size(document, 0, file.key)
        document.init_forms()  # without it the fields that somebody filled in stay empty
        try:
            page = document[0]
        except pypdfium2.PdfiumError as error:
            problem = "has a first page that cannot be read by PDFium."
            raise UnreadablePdf(file.key, problem, "Save the PDF again and upload it.") from error
        # Four bytes a pixel, so that rows follow each other without a gap.
        bitmap = page.render(
            scale=edge / max(width, height),
            rev_byteorder=True,
            fill_color=(255, 255, 255, 255),
            force_bitmap_format=pdfium.FPDFBitmap_BGRx,
        )
        # A copy: PDFium's own memory ends with the document.
        pixels = pyvips.Image.new_from_memory(bytes(bitmap.buffer), bitmap.width, bitmap.height, 4, "uchar")
        return pixels.extract_band(0, n=3).copy(interpretation=_SRGB)
