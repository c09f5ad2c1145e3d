import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qu_workflows.records.json_values import checked_json, storable_json, storable_text

TEXTS = st.text(st.characters(codec=None) | st.sampled_from("\\u0\x00"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


def has(value: Any, test: Any) -> bool:
    if isinstance(value, dict):
        return any(has(item, test) for pair in value.items() for item in pair)
    if isinstance(value, list):
        return any(has(item, test) for item in value)
    return bool(test(value))


def unstorable(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value)
    return isinstance(value, float) and (value != value or value in (float("inf"), float("-inf")))


@given(VALUES)
def test_a_value_is_refused_exactly_when_it_could_not_be_stored(value: Any) -> None:
    if has(value, unstorable):
        with pytest.raises(ValueError, match=r"."):
            checked_json(value)
    else:
        assert json.loads(checked_json(value)[1]) == value


@given(VALUES)
def test_a_value_of_anothers_making_always_becomes_storable(value: Any) -> None:
    checked_json(storable_json(value))


@given(TEXTS, st.integers(7, 50))
def test_a_long_text_loses_its_middle_alone(text: str, max_length: int) -> None:
    kept, whole = storable_text(text, max_length), storable_text(text)

    assert len(kept) <= max_length
    if len(whole) > max_length:
        before, after = kept.split("\n...\n", 1) if kept.count("\n...\n") == 1 else (kept[:1], kept[-1:])
        assert whole.startswith(before)
        assert whole.endswith(after)
    else:
        assert kept == whole
