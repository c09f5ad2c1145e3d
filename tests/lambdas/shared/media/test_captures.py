"""Metadata of cameras is validated the same for pictures and video."""

import subprocess
import sys
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import ROOT
from lambdas.shared.media.captures import camera, captured_at, position
from lambdas.shared.media.containers import tags_of
from workflows.contracts.guard_report import FileFacts, FileKind

NAMES = (
    "com.apple.quicktime.creationdate", "creation_time", "make", "com.apple.quicktime.model",
    "com.apple.quicktime.location.ISO6709", "location",
)  # fmt: skip


def of_video(tags: dict[str, str]) -> dict[str, Any]:
    container: Any = SimpleNamespace(metadata=tags, streams=[])
    return tags_of(container)


@pytest.mark.parametrize(
    ("make", "model", "name"),
    [
        ("Apple", "iPhone 15", "Apple iPhone 15"),
        ("NIKON CORPORATION", "NIKON D90", "NIKON D90"),
        ("Canon\x00\x00", "Canon EOS\n\x1b5D", "Canon EOS 5D"),
        (None, "X100", "X100"),
        ("Samsung", None, "Samsung"),
        ("\x00", b"bytes", None),
        ("a" * 300, "b", "a" * 120),
    ],
)
def test_maker_and_model_are_one_name(make: object, model: object, name: str | None) -> None:
    assert camera(make, model) == name


@pytest.mark.parametrize(
    ("moment", "offset", "expected"),
    [
        ("2026-05-01T22:10:00.750", "+02:00", "2026-05-01T22:10:00+02:00"),
        ("2026-05-01T22:10:00", "+02:00:30", "2026-05-01T22:10:00"),
        ("2026-05-01T22:10:00", "+20:00", "2026-05-01T22:10:00"),
        ("1989-12-31T23:59:59", "", None),
        ("1990-01-01T00:00:00", "", "1990-01-01T00:00:00"),
        ("2100-01-01T00:00:00", "", None),
    ],
)
def test_an_impossible_time_or_offset_is_ignored(moment: str, offset: str, expected: str | None) -> None:
    assert captured_at(datetime.fromisoformat(moment), offset) == expected


@pytest.mark.parametrize(
    "place", [(0.0, 0.0), (-0.0, 0.0), (90.1, 0.0), (0.0, -180.1), (float("nan"), 1.0), (1.0, float("inf"))]
)
def test_an_impossible_position_is_ignored(place: tuple[float, float]) -> None:
    assert position(*place) == {}


@pytest.mark.parametrize(
    ("tags", "facts"),
    [
        ({"location": "+00.0000+000.0000/"}, {}),
        ({"location": "+40.41680001-003.7038/"}, {"latitude": 40.4168, "longitude": -3.7038}),
        ({"make": "NIKON CORPORATION", "model": "NIKON D90"}, {"camera": "NIKON D90"}),
        ({"creation_time": "1980-01-01T00:00:00Z"}, {}),
        ({"creation_time": "2026-03-01T10:20:30.000000Z"}, {"captured_at": "2026-03-01T10:20:30+00:00"}),
        ({NAMES[0]: "2026-03-01T10:20:30+02:00:30"}, {"captured_at": "2026-03-01T10:20:30"}),
        (
            {NAMES[0]: "1970-01-01T00:00:00", NAMES[1]: "2026-03-01T10:20:30"},
            {"captured_at": "2026-03-01T10:20:30+00:00"},
        ),
    ],
)
def test_tags_of_a_video_become_facts(tags: dict[str, str], facts: dict[str, Any]) -> None:
    assert of_video(tags) == facts


@given(
    st.dictionaries(st.sampled_from(NAMES), st.text() | st.datetimes().map(str))
    | st.builds(
        lambda when, offset: {NAMES[0]: f"{when}{offset}"},
        st.datetimes(),
        st.from_regex(r"[+-][0-9]{2}(:[0-9]{2}){1,2}"),
    )
)
def test_any_tags_of_a_video_give_valid_facts(tags: dict[str, str]) -> None:
    FileFacts(kind=FileKind.VIDEO, media_type="video/mp4", size_bytes=1, sha256="0" * 64, **of_video(tags))


def test_pillow_is_not_imported_for_a_video() -> None:
    code = "import lambdas.inspect_file.recordings, sys; print('PIL' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)

    assert done.stdout.strip() == b"False"
