"""The contract of a decoding job: limits, file and answer.

A job is the function ``job`` of the module ``decoder_job`` in inspect_file or make_thumbnails. It runs in a decoder
process, which has no credentials, little memory and little time. A process imports its module before the first file.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambdas.shared.runtime.settings import read_int

MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Limits of one file, and of the wall-clock time and memory for decoding it.

    ``max_pixels`` applies to one frame, ``max_pages`` to a PDF.
    """

    max_bytes: int = 100 * MIB
    max_pixels: int = 120_000_000
    max_frames: int = 1_000
    max_pages: int = 5_000
    max_media_seconds: int = 4 * 3600
    max_unpacked_bytes: int = 1024 * MIB
    decoder_seconds: int = 8
    decoder_memory_mib: int = 768


def read_limits() -> Limits:
    """Return the limits from the environment. Raises SettingError unless each is a positive integer."""
    return Limits(
        max_bytes=read_int("INSPECT_MAX_BYTES", Limits.max_bytes),
        max_pixels=read_int("IMAGE_MAX_PIXELS", Limits.max_pixels),
        max_frames=read_int("IMAGE_MAX_FRAMES", Limits.max_frames),
        max_pages=read_int("PDF_MAX_PAGES", Limits.max_pages),
        max_media_seconds=read_int("MEDIA_MAX_SECONDS", Limits.max_media_seconds),
        max_unpacked_bytes=read_int("ARCHIVE_MAX_UNPACKED_BYTES", Limits.max_unpacked_bytes),
        decoder_seconds=read_int("DECODER_TIMEOUT_SECONDS", Limits.decoder_seconds),
        decoder_memory_mib=read_int("DECODER_MEMORY_MIB", Limits.decoder_memory_mib),
    )


@dataclass(frozen=True)
class MediaFile:
    """A file to decode; ``path`` can be opened repeatedly, ``key`` names it in errors."""

    path: str
    key: str
    media_type: str
    size_bytes: int


@dataclass(frozen=True)
class Decoded:
    """Answer of a job: JSON, and created files as bytes, never on disk."""

    answer: Mapping[str, Any]
    files: Sequence[bytes] = ()


# Takes the file, the limits and the job's own JSON arguments. It raises a leaf of FileRejected for a file that cannot
# be processed; any other error becomes DecoderCrashed, a MemoryError DecoderOutOfMemory.
type Job = Callable[[MediaFile, Limits, Mapping[str, Any]], Decoded]
