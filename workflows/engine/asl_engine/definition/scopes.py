"""Scopes of any definition: the machine, its branches and processors, with their variables."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from asl_engine.definition.compiler import speaks_jsonata
from asl_engine.jsontext import Json
from asl_engine.language.jsonata import names_in
from asl_engine.language.templates import is_jsonata, jsonata_of

type Node = dict[str, Any]

_WITHIN = frozenset({"ItemProcessor", "Iterator", "Branches"})
_NOT_EVALUATED = frozenset({"Comment", "Result", "Next", "Default", "Resource", "ErrorEquals", "Retry"})
_TEMPLATES = frozenset({"Parameters", "ResultSelector", "ItemSelector", "Assign", "BatchInput", "Credentials"})

_PATH_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'")
_NAME = re.compile(r"(?<![\w$])\$([^\W\d]\w*)")


@dataclass(frozen=True, slots=True)
class Scope:
    """A set of states with one entrance; ``location`` is empty for the machine."""

    location: str
    node: Node
    states: dict[str, Node]
    parent: "Scope | None" = None
    enclosing_state: str = ""

    def location_of(self, name: str) -> str:
        """Return the location of a state."""
        return f"{self.location}/States/{name}"


class Transition(NamedTuple):
    """A transition of a state, and the location of its target's name."""

    target: str
    location: str


def scopes_of(definition: Node) -> Iterator[Scope]:
    """Yield the machine and the scopes in it, outer ones first."""
    yield from _within("", definition, None)


def _within(location: str, node: Node, parent: Scope | None, enclosing_state: str = "") -> Iterator[Scope]:
    scope = Scope(location, node, dict(_objects(node.get("States"))), parent, enclosing_state)
    yield scope
    for name, state in scope.states.items():
        at = scope.location_of(name)
        for field in ("ItemProcessor", "Iterator"):
            if isinstance(state.get(field), dict):
                yield from _within(f"{at}/{field}", state[field], scope, name)
        for index, branch in _indexed_objects(state.get("Branches")):
            yield from _within(f"{at}/Branches[{index}]", branch, scope, name)


def transitions_of(scope: Scope, name: str) -> list[Transition]:
    """Return the transitions of a state."""
    ways = [(node.get("Next"), f"{location}/Next") for location, node in _state_and_entries(scope, name)]
    ways.insert(1, (scope.states[name].get("Default"), f"{scope.location_of(name)}/Default"))
    return [Transition(target, location) for target, location in ways if isinstance(target, str)]


def _state_and_entries(
    scope: Scope, name: str, lists: Sequence[str] = ("Choices", "Catch")
) -> Iterator[tuple[str, Node]]:
    """Yield a state and the entries of its lists, with their locations."""
    state, at = scope.states[name], scope.location_of(name)
    yield at, state
    for field in lists:
        for index, entry in _indexed_objects(state.get(field)):
            yield f"{at}/{field}[{index}]", entry


def _indexed_objects(value: Json) -> Iterator[tuple[int, Node]]:
    """Yield the objects of a list with their index."""
    for index, element in enumerate(value if isinstance(value, list) else ()):
        if isinstance(element, dict):
            yield index, element


def _objects(value: Json) -> Iterator[tuple[str, Node]]:
    for name, member in (value if isinstance(value, dict) else {}).items():
        if isinstance(member, dict):
            yield name, member


# --- variables ---


def references(definition: Node) -> dict[str, list[str]]:
    """Return the variables that each state reads, without states that read none (DescribeStateMachine)."""
    jsonata = speaks_jsonata(definition, inherited=False)
    found: dict[str, list[str]] = {}
    for scope in scopes_of(definition):
        for name, state in scope.states.items():
            names = sorted(_of_state(state, speaks_jsonata(state, jsonata)))
            if names:
                found[name] = names
    return found


def assigned_in(scope: Scope, *, no_catch_of: str = "") -> dict[str, str]:
    """Return the variables that a scope's states assign, and the location of the first assignment."""
    found: dict[str, str] = {}
    for name in scope.states:
        entries = ("Choices",) if name == no_catch_of else ("Choices", "Catch")
        for location, node in _state_and_entries(scope, name, entries):
            assign = node.get("Assign")
            for key in assign if isinstance(assign, dict) else ():
                found.setdefault(key.removesuffix(".$"), f"{location}/Assign/{key}")
    return found


def _of_state(state: Node, jsonata: bool) -> set[str]:
    own = {name: value for name, value in state.items() if name not in _WITHIN | _NOT_EVALUATED}
    if jsonata:
        return {name for text in _strings(own) if is_jsonata(text) for name in names_in(jsonata_of(text)).variables}
    return {name for text in _paths(own, in_template=False) for name in _NAME.findall(_PATH_QUOTED.sub("''", text))}


def _strings(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for member in value.values() if isinstance(value, dict) else value:
            yield from _strings(member)


def _paths(value: Json, *, in_template: bool) -> Iterator[str]:
    if isinstance(value, list):
        for element in value:
            yield from _paths(element, in_template=in_template)
    elif isinstance(value, dict):
        for name, member in value.items():
            if not isinstance(member, str):
                yield from _paths(member, in_template=in_template or name in _TEMPLATES)
            elif name.endswith(".$") if in_template else name.endswith("Path") or name == "Variable":
                yield member
