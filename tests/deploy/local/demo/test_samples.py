"""The demo's sample files are what their list says."""

from pathlib import Path

import pytest
from PIL import Image

from deploy import ROOT
from lambdas.inspect_file.facts import inspect_file
from lambdas.shared.decoding.command_line import chunks_of
from lambdas.shared.decoding.job import Limits
from workflows.contracts.guard_report import FileKind
from workflows.errors import ActiveContent, UnreadableImage

SAMPLES = ROOT / "deploy" / "local" / "demo" / "samples"
FILES = sorted(path for path in SAMPLES.iterdir() if path.name != "README.md")
BROKEN, HOSTILE = "truncated.jpg", "floor-plan.svg"
KINDS = {
    ".docx": FileKind.OTHER,
    ".m4a": FileKind.AUDIO,
    ".mp4": FileKind.VIDEO,
    ".pdf": FileKind.PDF,
    ".txt": FileKind.OTHER,
}


def test_the_list_names_every_file_and_its_rights() -> None:
    rows = [line.split("|") for line in (SAMPLES / "README.md").read_text().splitlines() if line.startswith("| `")]

    assert sorted(row[1].strip(" `") for row in rows) == [path.name for path in FILES]
    assert all(row[3].strip() for row in rows)


def test_they_stay_small() -> None:
    assert sum(path.stat().st_size for path in FILES) < 1_500_000


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.name not in {BROKEN, HOSTILE}], ids=lambda path: path.name
)
def test_a_sample_is_accepted(path: Path) -> None:
    assert inspect_file(path.name, chunks_of(path), Limits()).kind == KINDS.get(path.suffix, FileKind.IMAGE)


def test_the_broken_sample_is_rejected() -> None:
    with pytest.raises(UnreadableImage, match="cut off"):
        inspect_file(BROKEN, chunks_of(SAMPLES / BROKEN), Limits())


def test_the_hostile_sample_is_rejected() -> None:
    with pytest.raises(ActiveContent, match="script"):
        inspect_file(HOSTILE, chunks_of(SAMPLES / HOSTILE), Limits())


def test_one_sample_is_rotated_and_has_a_position() -> None:
    with Image.open(SAMPLES / "sideways-with-gps.jpg") as image:
        exif = image.getexif()

    assert exif[0x0112] == 6
    assert exif.get_ifd(0x8825)
    assert image.height > image.width
    facts = inspect_file("side", chunks_of(SAMPLES / "sideways-with-gps.jpg"), Limits())
    assert (facts.width, facts.height) == (image.height, image.width)
