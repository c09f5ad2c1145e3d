"""The shapes of choice rules: their operators, and rules within rules."""

from itertools import product

from asl_engine.definition.checks_expressions import (
    assignments,
    expression,
    starting_reference_path,
    static_text,
    template,
    timestamp,
)
from asl_engine.definition.place import Place
from asl_engine.definition.rules import Rule, Shape, boolean, exactly_one, list_of, number, text
from asl_engine.jsontext import Json

_SELECTORS = ("And", "Or", "Not", "Variable", "Condition")
_ORDERS = ("Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals")
_ORDERED: dict[str, Rule] = {"String": static_text, "Numeric": number(), "Timestamp": timestamp}
_COMPARISONS: dict[str, Rule] = {
    **{f"{kind}{order}": _ORDERED[kind] for kind, order in product(_ORDERED, _ORDERS)},
    "BooleanEquals": boolean,
}
_OPERATORS: dict[str, Rule] = {
    **_COMPARISONS,
    **{f"{name}Path": starting_reference_path for name in _COMPARISONS},
    "StringMatches": text,
    **{f"Is{kind}": boolean for kind in ("Null", "Present", "Numeric", "String", "Boolean", "Timestamp")},
}


def _one_condition(place: Place, node: Json) -> None:
    present = [name for name in _SELECTORS if name in node]
    operators = {name: node[name] for name in _OPERATORS if name in node}
    if len(present) != 1:
        message = f"The object must have only one of the following fields, [{', '.join(_SELECTORS)}]"
        place.refuse(message, "Write one of them." if not present else "Keep one of them.")
    elif present == ["Variable"]:
        exactly_one(*_OPERATORS)(place, operators)
    elif operators and not place.jsonata:
        place.refuse(f"Field '{next(iter(operators))}' is not supported", "An operator goes with a Variable.")


def _condition(place: Place, value: Json) -> None:
    if not isinstance(value, bool):
        expression(place, value)


def _nested(place: Place, node: Json) -> None:
    _NESTED_RULE(place, node)


_NESTED_RULE = Shape(
    {
        "Comment": text,
        **_OPERATORS,
        "And": list_of(_nested),
        "Or": list_of(_nested),
        "Not": _nested,
        "Variable": starting_reference_path,
        "Condition": _condition,
    },
    further=(_one_condition,),
    jsonpath_only=frozenset(_OPERATORS),
)
RULE = Shape(
    {**_NESTED_RULE.fields, "Next": text, "Assign": assignments, "Output": template},
    required=("Next",),
    further=(_one_condition,),
    jsonpath_only=frozenset(_OPERATORS),
)
