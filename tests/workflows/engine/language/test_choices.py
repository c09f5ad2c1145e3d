"""The rules of a Choice state."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_engine.errors import ExpressionMalformed, StateFailed
from asl_engine.language.choices import COMPARISONS, TYPE_TESTS, compile_rule
from asl_engine.language.env import Env
from tests.workflows.engine.language.documents import env_of, values

NOON, LATER = "2024-05-01T12:00:00Z", "2024-05-01T14:30:00+02:00"


def holds(rule: dict[str, Any], document: Any, **variables: Any) -> bool:
    return compile_rule(rule, jsonata=False)(env_of(document, **variables))


ORDERS = {
    "Equals": (False, True, False),
    "LessThan": (True, False, False),
    "LessThanEquals": (True, True, False),
    "GreaterThan": (False, False, True),
    "GreaterThanEquals": (False, True, True),
}
KINDS: dict[str, tuple[Any, Any, Any]] = {
    "Numeric": (1, 1.5, 2),
    "String": ("A", "AB", "B"),
    "Timestamp": (NOON, "2024-05-01T12:00:30.5Z", LATER),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", KINDS)
def test_values_of_one_kind_are_compared(kind: str, order: str) -> None:
    less, operand, more = KINDS[kind]

    for value, expected in zip((less, operand, more), ORDERS[order], strict=True):
        assert holds({"Variable": "$.v", f"{kind}{order}": operand}, {"v": value}) is expected
        assert holds({"Variable": "$.v", f"{kind}{order}Path": "$.w"}, {"v": value, "w": operand}) is expected


@given(values, values)
def test_values_of_two_kinds_never_compare(value: Any, operand: Any) -> None:
    def kind(it: Any) -> type:
        return float if isinstance(it, int) and not isinstance(it, bool) else type(it)

    for name in COMPARISONS:
        rule = {"Variable": "$.v", f"{name}Path": "$.w"}
        if kind(value) is not kind(operand) or isinstance(value, (list, dict, type(None))):
            assert not holds(rule, {"v": value, "w": operand})


@pytest.mark.parametrize(
    ("value", "operand", "expected"),
    [
        (True, True, True),
        (False, False, True),
        (True, False, False),
        (1, True, False),
        (0, False, False),
        (None, False, False),
    ],
)
def test_booleans_are_not_numbers(value: Any, operand: bool, expected: bool) -> None:
    assert holds({"Variable": "$.v", "BooleanEquals": operand}, {"v": value}) is expected
    assert holds({"Variable": "$.v", "BooleanEqualsPath": "$.w"}, {"v": value, "w": operand}) is expected
    assert not holds({"Variable": "$.v", "NumericEquals": 1}, {"v": True})


def test_integers_and_floats_are_compared() -> None:
    assert holds({"Variable": "$.v", "NumericEquals": 1}, {"v": 1.0})
    assert holds({"Variable": "$.v", "NumericGreaterThan": 1.5}, {"v": 10**400})


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("log-*.txt", "log-1.txt", True),
        ("log-*.txt", "log-.txt", True),
        ("log-*.txt", "log-1.txt ", False),
        ("*", "", True),
        ("a*b*c", "a-b-b-c", True),
        ("a.c", "abc", False),
        (r"a\*c", "a*c", True),
        (r"a\*c", "abc", False),
        (r"a\\*", "a\\bc", True),
        (r"a\b", r"a\b", True),
        ("*\n*", "a\nb", True),
        ("*", 5, False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("*ab*ab*", "ab-a-b", False),
        ("*a" * 25 + "*b", "a" * 2000, False),  # at once, without trying every place for every star
    ],
)
def test_a_pattern_matches_whole_texts(pattern: str, text: Any, expected: bool) -> None:
    assert holds({"Variable": "$.v", "StringMatches": pattern}, {"v": text}) is expected


@given(st.text())
def test_a_pattern_of_escaped_stars_matches_its_own_text(text: str) -> None:
    pattern = text.replace("\\", "\\\\").replace("*", "\\*")

    assert holds({"Variable": "$.v", "StringMatches": pattern}, {"v": text})
    assert not holds({"Variable": "$.v", "StringMatches": pattern}, {"v": f"{text}."})


@given(st.text("ab*", max_size=6), st.text("ab", max_size=8))
def test_a_pattern_matches_as_its_regular_expression(pattern: str, text: str) -> None:
    expected = re.fullmatch(pattern.replace("*", ".*"), text) is not None

    assert holds({"Variable": "$.v", "StringMatches": pattern}, {"v": text}) is expected


TYPES: dict[str, tuple[Any, ...]] = {
    "IsNull": (None,),
    "IsNumeric": (0, 1.5, -1),
    "IsString": ("", "a", NOON, "2024-05-01"),
    "IsBoolean": (True, False),
    "IsTimestamp": (NOON, LATER),
}
ANY: tuple[Any, ...] = (None, 0, 1.5, -1, "", "a", NOON, LATER, "2024-05-01", True, False, [], [1], {}, {"a": 1})


@pytest.mark.parametrize("test", TYPES)
def test_the_type_of_a_value_is_tested(test: str) -> None:
    for value in ANY:
        expected = value in TYPES[test] and any(type(value) is type(it) for it in TYPES[test])
        expected = expected or (test == "IsString" and isinstance(value, str))

        assert holds({"Variable": "$.v", test: True}, {"v": value}) is expected
        assert holds({"Variable": "$.v", test: False}, {"v": value}) is not expected


def test_a_missing_value_is_not_present() -> None:
    assert holds({"Variable": "$.v", "IsPresent": True}, {"v": None})
    assert holds({"Variable": "$.v.w", "IsPresent": False}, {"v": None})
    assert holds({"Variable": "$.v[1]", "IsPresent": False}, {"v": [1]})
    assert holds({"Variable": "$who", "IsPresent": True}, {}, who=1)
    assert holds({"Variable": "$nothing", "IsPresent": False}, {})


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        *[({"Variable": "$.v.x", name: True}, "$.v.x") for name in TYPE_TESTS if name != "IsPresent"],
        *[({"Variable": "$.v.x", name: 1}, "$.v.x") for name in COMPARISONS],
        *[({"Variable": "$.v", f"{name}Path": "$.w"}, "$.w") for name in COMPARISONS if name != "StringMatches"],
        ({"Variable": "$nothing", "StringEquals": "a"}, "$nothing"),
        ({"Not": {"Variable": "$.w", "IsNull": True}}, "$.w"),
    ],
)
def test_a_missing_value_fails_the_state(rule: dict[str, Any], path: str) -> None:
    with pytest.raises(StateFailed) as failure:
        holds(rule, {"v": 1})

    assert failure.value.error == "States.Runtime"
    assert failure.value.headed
    assert (
        failure.value.cause == f"Invalid path '{path}': The choice state's condition path references an invalid value."
    )


IS_ONE, IS_MANY = {"Variable": "$.v", "NumericEquals": 1}, {"Variable": "$.v", "NumericGreaterThan": 1}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"And": [IS_ONE, {"Not": IS_MANY}]}, (False, True, False)),
        ({"Or": [IS_ONE, IS_MANY]}, (False, True, True)),
        ({"Not": {"Or": [IS_ONE, {"And": [IS_MANY, IS_MANY]}]}}, (True, False, False)),
    ],
)
def test_rules_are_combined(rule: dict[str, Any], expected: tuple[bool, bool, bool]) -> None:
    assert tuple(holds(rule, {"v": value}) for value in (0, 1, 2)) == expected


def test_a_decided_rule_reads_no_further() -> None:
    present, missing = {"Variable": "$.v", "IsPresent": True}, {"Variable": "$.w", "StringEquals": "a"}

    assert holds({"Or": [present, missing]}, {"v": 1})
    assert not holds({"And": [{"Not": present}, missing]}, {"v": 1})


def test_a_rule_without_operator_is_refused() -> None:
    with pytest.raises(ExpressionMalformed, match="the rule has no operator"):
        compile_rule({"Variable": "$.v", "Next": "There"}, jsonata=False)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [("{% $states.input.n > 1 %}", True), ("{% $states.input.n = 1 %}", False), (True, True), (False, False)],
)
def test_a_jsonata_condition_holds_or_not(condition: Any, expected: bool) -> None:
    rule = compile_rule({"Condition": condition, "Next": "There"}, jsonata=True)

    assert rule(Env(None, states={"input": {"n": 2}})) is expected


def test_a_jsonata_condition_must_be_boolean() -> None:
    rule = compile_rule({"Condition": "{% 'yes' %}"}, jsonata=True, where="Choices[1]/Condition")

    with pytest.raises(StateFailed) as failure:
        rule(Env(None))

    assert failure.value.location == "Choices[1]/Condition"
    assert failure.value.cause == (
        "The JSONata expression ''yes'' specified for the field 'Choices[1]/Condition' returned an unexpected result "
        "type. Expected 'boolean', but was 'string' for value: \"yes\""
    )
