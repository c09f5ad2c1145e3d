"""Opens PDFs with PDFium. PDFs that it cannot read raise UnreadablePdf."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from workflows.errors import UnreadablePdf


@contextmanager
def open_pdf(path: str, key: str) -> Generator[Any]:
    """Yield a ``pypdfium2.PdfDocument`` of at least one page, and close it.

    Raises UnreadablePdf: broken, protected by a password, or without pages. PDFium is not thread-safe:
    https://pypdfium2.readthedocs.io/en/stable/python_api.html#incompatibility-with-threading
    """
    import pypdfium2  # type: ignore[import-untyped]  # it ships no types

    # Opened here, since pypdfium2 would resolve the path, and that of a file without a name does not exist.
    with open(path, "rb") as content:  # noqa: PTH123  as above
        try:
            document = pypdfium2.PdfDocument(content)
        except pypdfium2.PdfiumError as error:
            raise _unreadable(key, error) from error
        try:
            if len(document) < 1:
                raise UnreadablePdf(key, "has no pages.", "Save the PDF again and upload it.")
            yield document
        except pypdfium2.PdfiumError as error:
            raise _unreadable(key, error) from error
        finally:
            document.close()


def page_size(document: Any, number: int, key: str) -> tuple[float, float]:
    """Return the size in points of a page, numbered from 0, without its content.

    Raises UnreadablePdf if the page or its size is missing.
    """
    import pypdfium2

    try:
        width, height = document.get_page_size(number)
    except pypdfium2.PdfiumError as error:
        problem = f"states {len(document):,} pages, but page {number + 1:,} is missing."
        raise UnreadablePdf(key, problem, "Save the PDF again and upload it.") from error
    if not (0 < width < float("inf") and 0 < height < float("inf")):
        raise UnreadablePdf(key, f"has a page {number + 1:,} without a size.", "Save the PDF again and upload it.")
    return width, height


def _unreadable(key: str, error: Exception) -> UnreadablePdf:
    if "password" in str(error).lower():
        return UnreadablePdf(key, "is protected by a password.", "Upload it without a password.")
    return UnreadablePdf(key, "cannot be read by PDFium.", "Save the PDF again and upload it.")
