"""Settings of a function, from its environment."""

import pytest

from lambdas.shared.decoding.job import Limits, read_limits
from lambdas.shared.runtime.settings import SettingError, read_int, require_text


def test_a_missing_number_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_LIMIT", "  ")
    assert read_int("SOME_LIMIT", 7) == 7

    monkeypatch.setenv("SOME_LIMIT", " 12 ")
    assert read_int("SOME_LIMIT", 7) == 12


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "²"])
def test_an_invalid_number_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SOME_LIMIT", text)

    with pytest.raises(SettingError, match="SOME_LIMIT") as caught:
        read_int("SOME_LIMIT", 7)
    assert "Set SOME_LIMIT=7" in str(caught.value)


def test_a_missing_required_text_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TABLE", "mails")
    assert require_text("SOME_TABLE", "a table") == "mails"

    monkeypatch.delenv("SOME_TABLE")
    with pytest.raises(SettingError, match=r"SOME_TABLE: is not set\. Set it to a table"):
        require_text("SOME_TABLE", "a table")


def test_limits_come_from_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INSPECT_MAX_BYTES", raising=False)
    monkeypatch.setenv("IMAGE_MAX_PIXELS", "1000")

    assert read_limits() == Limits(max_bytes=100 * 1024 * 1024, max_pixels=1000)
