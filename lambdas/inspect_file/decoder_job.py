"""The job of the decoder's process that inspects a file. A library is imported by the first file that needs it."""

from collections.abc import Callable, Mapping
from typing import Any

from lambdas.inspect_file.polyglots import refuse_ambiguous
from lambdas.shared.decoding.job import Decoded, Limits, MediaFile

# Most files are photos: their decoder is there before the first one.
WARM = ("lambdas.inspect_file.pictures",)


def job(file: MediaFile, limits: Limits, given: Mapping[str, Any]) -> Decoded:
    """Return the facts of a file of ``given["kind"]``. Raises AmbiguousContent, and what the inspector raises."""
    refuse_ambiguous(file)
    return Decoded(_inspector_of(given["kind"])(file, limits))


def _inspector_of(kind: str) -> Callable[[MediaFile, Limits], dict[str, Any]]:
    match kind:
        case "image":
            from lambdas.inspect_file.pictures import inspect_picture

            return inspect_picture
        case "video" | "audio":
            from lambdas.inspect_file.recordings import inspect_recording

            return inspect_recording
        case "pdf":
            from lambdas.inspect_file.documents.pdfs import inspect_pdf

            return inspect_pdf
    from lambdas.inspect_file.documents.documents import inspect_document

    return inspect_document
