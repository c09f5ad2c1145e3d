"""How large a file may be for a function to read it."""

from dataclasses import dataclass

from lambdas.shared.settings import read_int


@dataclass(frozen=True)
class Limits:
    """Bytes of a file, and pixels of a picture as its header tells them."""

    max_bytes: int = 100 * 1024 * 1024
    max_pixels: int = 120_000_000


def read_limits() -> Limits:
    """Return the limits that INSPECT_MAX_BYTES and IMAGE_MAX_PIXELS set."""
    return Limits(
        read_int("INSPECT_MAX_BYTES", Limits.max_bytes),
        read_int("IMAGE_MAX_PIXELS", Limits.max_pixels),
    )
