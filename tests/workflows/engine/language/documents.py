"""JSON documents for Hypothesis, and the Env of an expression."""

from typing import Any

from hypothesis import strategies as st

from asl_engine.language.env import Env

leaves = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
names = st.text(st.characters(codec="utf-8", exclude_characters="'\"\\"), min_size=1, max_size=8)
values = st.recursive(
    leaves | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(names, values, max_size=5)


def env_of(document: Any, **variables: Any) -> Env:
    """Return an Env with a document, a context object and variables."""
    return Env(document, context={"State": {"Name": "Here"}}, variables=variables)
