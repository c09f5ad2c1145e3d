"""Shrinks and encodes one picture into every form. Everything that is drawn ends here: photos, pages, frames, waves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambdas.make_thumbnails.forms import Form

if TYPE_CHECKING:
    import pyvips


@dataclass(frozen=True)
class Drawn:
    """One thumbnail: pixels only, no EXIF, no XMP, no profile, no comment."""

    form: Form
    width: int
    height: int
    data: bytes


def encode_all(picture: "pyvips.Image", forms: Sequence[Form]) -> list[Drawn]:
    """Return each form of an upright sRGB picture (RGB or RGBA, 8 bits), in the order of ``forms``.

    Nothing is scaled up. JPEG has no transparency: it is laid on white. The same pixels give the same bytes.
    """
    raise NotImplementedError
