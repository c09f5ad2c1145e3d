"""A definition taken apart into scopes: the machine, its branches and processors. Bears broken definitions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from asl_engine.jsontext import Json

type Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scope:
    """One set of states with one entrance: those of them that are objects. ``location`` is empty for the machine."""

    location: str
    node: Node
    states: dict[str, Node]
    parent: "Scope | None" = None

    def location_of(self, name: str) -> str:
        """Return where a state is."""
        return f"{self.location}/States/{name}"


class Transition(NamedTuple):
    """One way out of a state, and where it is written."""

    target: str
    location: str


def scopes_of(definition: Node) -> Iterator[Scope]:
    """Return the machine and all that is within it, outer ones first."""
    yield from _within("", definition, None)


def _within(location: str, node: Node, parent: Scope | None) -> Iterator[Scope]:
    scope = Scope(location, node, dict(_objects(node.get("States"))), parent)
    yield scope
    for name, state in scope.states.items():
        at = scope.location_of(name)
        for field in ("ItemProcessor", "Iterator"):
            if isinstance(state.get(field), dict):
                yield from _within(f"{at}/{field}", state[field], scope)
        for index, branch in indexed_objects(state.get("Branches")):
            yield from _within(f"{at}/Branches[{index}]", branch, scope)


def transitions_of(scope: Scope, name: str) -> list[Transition]:
    """Return the ways out of a state."""
    state, at = scope.states[name], scope.location_of(name)
    ways = [(state.get(field), f"{at}/{field}") for field in ("Next", "Default")]
    for field in ("Choices", "Catch"):
        ways += [
            (entry.get("Next"), f"{at}/{field}[{index}]/Next") for index, entry in indexed_objects(state.get(field))
        ]
    return [Transition(target, location) for target, location in ways if isinstance(target, str)]


def indexed_objects(value: Json) -> Iterator[tuple[int, Node]]:
    """Return those of a list's elements that are objects, with their index."""
    for index, element in enumerate(value if isinstance(value, list) else ()):
        if isinstance(element, dict):
            yield index, element


def _objects(value: Json) -> Iterator[tuple[str, Node]]:
    for name, member in (value if isinstance(value, dict) else {}).items():
        if isinstance(member, dict):
            yield name, member
