"""How much of everything one file may take."""

from dataclasses import dataclass

from lambdas.shared.runtime.settings import read_int

MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """The most that a file may have, and the most that decoding it may take.

    It may have: bytes, pixels of one frame, frames, pages, seconds of video or audio, bytes that it unpacks to.
    Decoding may take: seconds by the clock, MiB of memory.
    """

    max_bytes: int = 100 * MIB
    max_pixels: int = 120_000_000
    max_frames: int = 1_000
    max_pages: int = 5_000
    max_media_seconds: int = 4 * 3600
    max_unpacked_bytes: int = 1024 * MIB
    decoder_seconds: int = 8
    decoder_memory_mib: int = 768


_SETTINGS = {
    "max_bytes": "INSPECT_MAX_BYTES",
    "max_pixels": "IMAGE_MAX_PIXELS",
    "max_frames": "IMAGE_MAX_FRAMES",
    "max_pages": "PDF_MAX_PAGES",
    "max_media_seconds": "MEDIA_MAX_SECONDS",
    "max_unpacked_bytes": "ARCHIVE_MAX_UNPACKED_BYTES",
    "decoder_seconds": "DECODER_TIMEOUT_SECONDS",
    "decoder_memory_mib": "DECODER_MEMORY_MIB",
}


def read_limits() -> Limits:
    """Return the limits that the environment sets. Raises SettingError for what is no whole number above zero."""
    return Limits(**{limit: read_int(setting, getattr(Limits, limit)) for limit, setting in _SETTINGS.items()})
