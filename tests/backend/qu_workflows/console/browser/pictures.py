"""Makes the README's two pictures from screenshots of the page tests."""

import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[5]
FOLDER = ROOT / "docs" / "pictures"
NAMES = ("overview", "execution")
MOST_BYTES = 200_000


def main() -> int:
    """Write ``docs/pictures/console-<name>.png``; return 1 if one is too large, else 0."""
    FOLDER.mkdir(exist_ok=True)
    large = 0
    for name in NAMES:
        path = FOLDER / f"console-{name}.png"
        with Image.open(ROOT / ".local" / "screens" / f"readme-{name}.png") as picture:
            picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
        size = path.stat().st_size
        sys.stdout.write(f"{path.relative_to(ROOT)}: {size:,} bytes\n")
        large += size > MOST_BYTES
    return 1 if large else 0


if __name__ == "__main__":
    sys.exit(main())
