"""What a JSONata expression names: workflow variables, and what AWS does not let it read."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from asl_engine.language.jsonata import BUILT_IN, compile_jsonata

# What stands in these is read from the value before it, not from the top.
_BELOW = frozenset({"predicate", "stages", "group", "terms"})
# The parser's own notes on a node, which lead out of it or round in circles.
_NOTES = frozenset({"seeking_parent", "slot", "ancestor", "next_function", "errors", "token", "_outer_instance"})


@dataclass(slots=True)
class Names:
    """The free variables of an expression, and texts on what it cannot read."""

    variables: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    reads_error_output: bool = False
    bound: set[str] = field(default_factory=set)


@lru_cache(maxsize=1024)
def names_in(source: str) -> Names:
    """Return what an expression names. Raises ExpressionMalformed."""
    names = Names()
    _walk(compile_jsonata(source, where="").tree, names, at_top=True)
    names.variables -= names.bound | BUILT_IN | {""}
    return names


def _walk(node: Any, names: Names, *, at_top: bool) -> None:
    """Go through a node. ``at_top``: a bare name here would be read from a context that is not there."""
    kind = node.type
    if kind == "name" and at_top:
        names.refused.append(f"Reference to '{node.value}' at the top level is not supported.")
    elif kind == "variable" and node.value == "$":
        names.refused.append("Reference to '$$' is not supported.")
    elif kind == "variable":
        names.variables.add(node.value)
    elif kind == "lambda":
        names.bound |= {argument.value for argument in node.arguments}
    elif kind == "bind":
        names.bound.add(node.lhs.value)
    elif kind == "path":
        names.reads_error_output |= [step.value for step in node.steps[:2]] == ["states", "errorOutput"]
    for place, child in _children(node):
        _walk(child, names, at_top=at_top and place not in _BELOW)


def _children(node: Any) -> Iterator[tuple[str, Any]]:
    for name, value in vars(node).items():
        if name == "steps" and value:
            yield name, value[0]
            yield from (("stages", step) for step in value[1:])
        elif name not in _NOTES and not (name == "procedure" and value is not None and value.type == "variable"):
            yield from ((name, symbol) for symbol in _symbols(value))


def _symbols(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple)):
        for element in value:
            yield from _symbols(element)
    elif hasattr(value, "lbp"):
        yield value
