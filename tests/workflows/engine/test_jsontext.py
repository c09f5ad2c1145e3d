"""JSON texts."""

import json
from typing import Any

import pytest
from hypothesis import given

from asl_engine.jsontext import dumps, loads, size_bytes
from tests.workflows.engine.language.documents import values


@given(values)
def test_a_value_survives_its_text(value: Any) -> None:
    assert json.dumps(loads(dumps(value))) == json.dumps(value)


@pytest.mark.parametrize("number", [2**63, -(2**64), 10**18, 10**40])
def test_integers_of_any_size_are_exact(number: int) -> None:
    text = dumps({"n": [number, "é"]})

    assert text == f'{{"n":[{number},"é"]}}'
    assert loads(text) == {"n": [number, "é"]}
    assert loads(text.encode()) == {"n": [number, "é"]}


def test_half_of_a_surrogate_pair_is_escaped() -> None:
    assert dumps(["\ud800é"]) == '["\\ud800\\u00e9"]'


@pytest.mark.parametrize("value", [object(), {1}, [10**40, object()]])
def test_a_value_without_json_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="not JSON serializable"):
        dumps(value)


@pytest.mark.parametrize("text", ["", "{", "[1,]", "nope", '{"a": NaN}', "12345678901234567890x"])
def test_invalid_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        loads(text)


def test_a_text_is_measured_in_utf_8() -> None:
    assert [size_bytes(text) for text in ("", "abc", "é", "🆗")] == [0, 3, 2, 4]
