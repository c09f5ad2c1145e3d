"""Definitions for tests of graphs: random ones, those of the repository, large ones."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

MACHINES = {
    path.name.removesuffix(".asl.json"): json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parents[5] / "state_machines").glob("*.asl.json"))
}
INVOKE = "arn:aws:states:::lambda:invoke"
_ERRORS = st.lists(st.sampled_from(["States.ALL", "States.Timeout", "FileMissing", "A", "B"]), min_size=1, max_size=5)
_TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=80)


@st.composite
def definitions(draw: st.DrawFn, depth: int = 2) -> dict[str, Any]:
    """Return any definition that AWS accepts, and some with unreachable states."""
    names = draw(st.lists(_TEXTS, unique=True, min_size=60, max_size=60))
    return _machine(draw, names, depth)


def _machine(draw: st.DrawFn, names: list[str], depth: int) -> dict[str, Any]:
    own = [names.pop() for _ in range(draw(st.integers(1, 6)))]
    return {"StartAt": own[0], "States": {name: _state(draw, own, names, depth) for name in own}}


def _state(draw: st.DrawFn, beside: list[str], names: list[str], depth: int) -> dict[str, Any]:
    room = depth > 0 and len(names) > 20
    kind = draw(st.sampled_from(["Task", "Pass", "Choice", "Wait", "Succeed", "Fail", *["Map", "Parallel"] * room]))
    target = st.sampled_from(beside)
    state: dict[str, Any] = {"Type": kind}
    if kind == "Choice":
        state["Choices"] = [{**draw(_rules), "Next": draw(target)} for _ in range(draw(st.integers(1, 4)))]
        state |= {"Default": draw(target)} if draw(st.booleans()) else {}
    elif kind not in ("Succeed", "Fail"):
        state |= {"Next": draw(target)} if draw(st.booleans()) else {"End": True}
    if kind in ("Task", "Map", "Parallel"):
        state["Catch"] = [{"ErrorEquals": draw(_ERRORS), "Next": draw(target)} for _ in range(draw(st.integers(0, 2)))]
    if kind == "Map":
        state["ItemProcessor"] = _machine(draw, names, depth - 1)
    if kind == "Parallel":
        state["Branches"] = [_machine(draw, names, depth - 1) for _ in range(draw(st.integers(1, 3)))]
    return state


_rules = st.recursive(
    st.fixed_dictionaries({"Variable": _TEXTS, "StringEquals": _TEXTS})
    | st.fixed_dictionaries({"Variable": _TEXTS, "NumericLessThanPath": _TEXTS})
    | st.fixed_dictionaries({"Variable": _TEXTS, "IsPresent": st.booleans()})
    | st.fixed_dictionaries({"Condition": _TEXTS}),
    lambda inner: (
        st.fixed_dictionaries({"And": st.lists(inner, min_size=1, max_size=3)})
        | st.fixed_dictionaries({"Or": st.lists(inner, min_size=1, max_size=3)})
        | st.fixed_dictionaries({"Not": inner})
    ),
    max_leaves=4,
)


def line_of(count: int) -> dict[str, Any]:
    """Return ``count`` tasks in a row, with Choices between them and every error caught."""
    states: dict[str, Any] = {}
    for number in range(count):
        after = f"State {number + 1:03}" if number + 1 < count else "Failed"
        if number % 10:
            states[f"State {number:03}"] = {
                "Type": "Task",
                "Resource": INVOKE,
                "Next": after,
                "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Failed"}],
            }
        else:
            rules = [
                {"Variable": "$.x", "NumericEquals": skip, "Next": f"State {min(count - 1, number + skip + 1):03}"}
                for skip in range(1, 5)
            ]
            states[f"State {number:03}"] = {"Type": "Choice", "Choices": rules, "Default": after}
    return {"StartAt": "State 000", "States": {**states, "Failed": {"Type": "Fail"}}}


def fan_of(count: int) -> dict[str, Any]:
    """Return a machine that chooses one of ``count`` states."""
    rules = [{"Variable": "$.x", "NumericEquals": number, "Next": f"Way {number}"} for number in range(count)]
    ways = {f"Way {number}": {"Type": "Pass", "Next": "Together"} for number in range(count)}
    return {
        "StartAt": "Which",
        "States": {
            "Which": {"Type": "Choice", "Choices": rules},
            **ways,
            "Together": {"Type": "Succeed"},
        },
    }


def branches_of(count: int) -> dict[str, Any]:
    """Return a machine of ``count`` parallel branches of ten states each."""

    def branch(number: int) -> dict[str, Any]:
        names = [f"Branch {number} {step}" for step in range(10)]
        states: dict[str, Any] = {name: {"Type": "Pass", "Next": after} for name, after in pairwise(names)}
        return {"StartAt": names[0], "States": {**states, names[-1]: {"Type": "Succeed"}}}

    both = {"Type": "Parallel", "Branches": [branch(number) for number in range(count)], "End": True}
    return {"StartAt": "Beside", "States": {"Beside": both}}
