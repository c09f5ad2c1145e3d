import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.files.names import display_name, safe_name
from reports.models import NAME_MAX_LENGTH

STORED = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]{1,10})?")


@given(st.text(max_size=400))
def test_any_name_is_safe_to_store(name: str) -> None:
    assert STORED.fullmatch(safe_name(name))
    assert len(safe_name(name)) <= 71


@given(st.text(max_size=400))
def test_any_name_can_be_shown(name: str) -> None:
    shown = display_name(name)

    assert 1 <= len(shown) <= NAME_MAX_LENGTH
    assert shown.isprintable()
    assert "/" not in shown
    assert "\\" not in shown


@pytest.mark.parametrize(
    ("name", "shown", "stored"),
    [
        ("Front Door.JPG", "Front Door.JPG", "front-door.jpg"),
        ("../../etc/passwd", "passwd", "passwd"),
        ("C:\\photos\\gate.png", "gate.png", "gate.png"),
        ("gate\u202egpj.exe", "gategpj.exe", "gategpj.exe"),
        ("a\x00b\nc.pdf", "abc.pdf", "a-b-c.pdf"),
        (None, "file", "file"),
        ("...", "...", "file"),
        (".htaccess", ".htaccess", "htaccess"),
        ("照片.jpg", "照片.jpg", "file.jpg"),
        ("a." + "x" * 300, "a." + "x" * 138 + "." + "x" * 9, "a.xxxxxxxxxx"),
        ("n" * 300 + ".jpg", "n" * 146 + ".jpg", "n" * 60 + ".jpg"),
    ],
)
def test_a_name_loses_its_folders_and_what_nobody_sees(name: str, shown: str, stored: str) -> None:
    assert (display_name(name), safe_name(name)) == (shown, stored)
