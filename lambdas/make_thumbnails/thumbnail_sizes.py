"""Thumbnails of each file: name, size and encoding."""

import re
from dataclasses import dataclass

from lambdas.shared.runtime.settings import SettingError, read_text

DEFAULT_SIZES = "small=160,medium=480,large=1280"
WEBP, JPEG = "image/webp", "image/jpeg"
PREVIEW = "preview"
_SIZE = re.compile(r"\s*([a-z]{1,15})\s*=\s*([1-9][0-9]{0,3})\s*")


@dataclass(frozen=True)
class ThumbnailSize:
    """One thumbnail of each file: ``edge`` is the most pixels of its longer side; nothing is scaled up."""

    name: str
    edge: int
    media_type: str = WEBP

    @property
    def is_jpeg(self) -> bool:
        """Return whether it is a JPEG, which has no transparency."""
        return self.media_type == JPEG

    def key_of(self, sha256: str) -> str:
        """Return the key under which a file's thumbnail lies: equal content, equal key."""
        return f"thumbnails/{sha256}/{self.name}.{'jpg' if self.is_jpeg else 'webp'}"


# Of a video, a short animation: WebP alone.
PREVIEW_SIZE = ThumbnailSize(PREVIEW, 320)


def read_thumbnail_sizes() -> list[ThumbnailSize]:
    """Return the sizes that THUMBNAIL_SIZES names, the smallest first, each as WebP and as JPEG.

    Raises SettingError unless it is a list like small=160,medium=480,large=1280.
    """
    text = read_text("THUMBNAIL_SIZES", DEFAULT_SIZES)
    found = [_SIZE.fullmatch(part) for part in text.split(",")]
    sizes = {match[1]: int(match[2]) for match in found if match}
    if len(sizes) < len(found) or PREVIEW in sizes:
        raise SettingError(
            "THUMBNAIL_SIZES",
            f"is {text!r}, no list of different names and pixels.",
            f"Set it to {DEFAULT_SIZES}, say.",
        )
    by_edge = sorted(sizes.items(), key=lambda size: size[1])
    return [ThumbnailSize(name, edge, media_type) for name, edge in by_edge for media_type in (WEBP, JPEG)]
