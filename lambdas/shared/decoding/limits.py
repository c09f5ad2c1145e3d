"""Resource limits for decoding one file."""

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


def read_limits() -> Limits:
    """Return the limits that the environment sets. Raises SettingError for what is no whole number above zero."""
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
