"""The variables that states read."""

import json
from typing import Any

import pytest

from asl_engine.definition.scopes import references
from tests.workflows.engine.definition.machines import EVERYTHING, branch, choosing, mapping, one_state, passing, task


def read_here(state: dict[str, Any], **machine: Any) -> list[str]:
    return references(json.loads(one_state(state, **machine))).get("Here", [])


@pytest.mark.parametrize(
    ("state", "names"),
    [
        ({"Type": "Wait", "SecondsPath": "$seconds", "End": True}, ["seconds"]),
        ({"Type": "Fail", "ErrorPath": "$e", "CausePath": "States.Format('{} $no', $c)"}, ["c", "e"]),
        (passing(Parameters={"a": "$no", "b.$": "$yes.x[0]", "c": {"d.$": "States.Array($one, $two)"}}),
         ["one", "two", "yes"]),
        (passing(Parameters={"SomePath": "$no"}), []),
        (passing(Result={"a.$": "$no"}), []),
        (passing(Assign={"x.$": "$y"}), ["y"]),
        (passing(Parameters={"a.$": "$$.Execution.Name", "b.$": "$.c", "c.$": "$['$no']"}), []),
        (choosing({"Variable": "$a", "StringEqualsPath": "$b", "Next": "There"}), ["a", "b"]),
        (mapping(ItemsPath="$items", ItemSelector={"x.$": "$x"}), ["items", "x"]),
    ],
)  # fmt: skip
def test_paths_and_functions_read_variables(state: dict[str, Any], names: list[str]) -> None:
    assert read_here(state) == names


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("$a + $b.c", ["a", "b"]),
        ("$states.input.a", []),
        ("$map($list, function($v, $i) { $v + $more })", ["list", "more"]),
        ("($x := $y; $x)", ["y"]),
        ("'$no' & \"$no\" & $yes /* $no */", ["yes"]),
        ("$list ~> $sum", ["list"]),
        ("$$.a", []),
    ],
)
def test_an_expression_reads_its_free_variables(expression: str, names: list[str]) -> None:
    state = task(Arguments={"deep": ["{% " + expression + " %}"]}, Comment="{% $no %}")

    assert read_here(state, QueryLanguage="JSONata") == names


def test_a_nested_state_has_its_own_entry() -> None:
    text = one_state(mapping(branch(Parameters={"a.$": "$x"}), ItemsPath="$y"))

    assert references(json.loads(text)) == {"Here": ["y"], "Inner": ["x"]}


def test_states_that_read_no_variable_are_omitted() -> None:
    assert references(EVERYTHING) == {"Call": ["prefix"], "Ask": ["asked"], "Judge": ["asked"], "Every": ["asked"]}
