"""A definition as levels: states, and the transitions between them, which never leave their level.

The states inside a Map or a Parallel form levels of their own. https://states-language.net/spec.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _

from qu_workflows.console.graph.labels import all_errors, catcher_words, kind_words, rule_words

_DEEPEST = 30


class GraphNotDrawn(ValueError):
    """A definition cannot be drawn; its argument is a sentence that says why."""

    def __str__(self) -> str:
        return _("The graph cannot be drawn: %(problem)s") % {"problem": self.args[0]}


class EdgeKind(StrEnum):
    """The kind of a transition."""

    NEXT = "next"
    CHOICE = "choice"
    CATCH = "catch"


@dataclass(frozen=True)
class Edge:
    """A transition between two states of a level.

    ``source`` is None at the start, ``target`` at the end. ``labels`` are its alternative conditions in short,
    ``details`` the same in full.
    """

    source: str | None
    target: str | None
    kind: EdgeKind = EdgeKind.NEXT
    labels: tuple[str, ...] = ()
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class GraphState:
    """A state; ``levels`` are those inside: one in a Map, the branches of a Parallel."""

    name: str
    type: str
    kind: str
    levels: "tuple[Level, ...]" = ()


@dataclass(frozen=True)
class Level:
    """States in the order of an execution, and the transitions between them."""

    states: tuple[GraphState, ...]
    transitions: tuple[Edge, ...]

    def all_states(self) -> Iterator[GraphState]:
        """Yield every state in reading order, including nested ones."""
        for state in self.states:
            yield state
            for level in state.levels:
                yield from level.all_states()

    def all_transitions(self) -> Iterator[Edge]:
        """Yield every transition between two states in reading order, including nested ones."""
        yield from (each for each in self.transitions if each.source is not None and each.target is not None)
        for state in self.states:
            for level in state.levels:
                yield from level.all_transitions()


def read_definition(definition: Any) -> Level:
    """Return the outermost level of a definition. Raises GraphNotDrawn."""
    return _level(definition, _("The definition"), 0)


def _level(node: Any, where: str, depth: int) -> Level:
    states = node.get("States") if isinstance(node, Mapping) else None
    if not isinstance(states, Mapping) or not all(isinstance(each, Mapping) for each in states.values()):
        raise GraphNotDrawn(_("%(where)s has no states.") % {"where": where})
    if depth > _DEEPEST:
        raise GraphNotDrawn(_("%(where)s is nested too deeply to be drawn.") % {"where": where})
    start = node.get("StartAt")
    transitions = [each for name, state in states.items() for each in _merged(_transitions(str(name), state))]
    if isinstance(start, str):
        transitions.insert(0, Edge(None, start))
    for each in transitions:
        if each.target is not None and each.target not in states:
            source = each.source or "StartAt"
            text = _("%(source)s leads to “%(target)s”, which is not a state beside it.")
            raise GraphNotDrawn(text % {"source": source, "target": each.target})
    ordered = _in_reading_order(list(states), transitions)
    return Level(tuple(_state(name, states[name], depth) for name in ordered), tuple(transitions))


def _state(name: str, node: Mapping[str, Any], depth: int) -> GraphState:
    if "ItemProcessor" in node or "Iterator" in node:
        inside = [node.get("ItemProcessor", node.get("Iterator"))]
    else:
        branches = node.get("Branches", [])
        inside = branches if isinstance(branches, list) else []
    levels = tuple(_level(each, name, depth + 1) for each in inside)
    return GraphState(name, str(node.get("Type", "?")), kind_words(node), levels)


def _transitions(name: str, node: Mapping[str, Any]) -> Iterator[Edge]:
    for rule in _objects(node.get("Choices")):
        condition = rule_words(rule)
        yield Edge(name, _target(rule), EdgeKind.CHOICE, (condition,), (condition,))
    if isinstance(node.get("Default"), str):
        yield Edge(name, node["Default"], EdgeKind.CHOICE, (_("otherwise"),), (_("otherwise"),))
    if isinstance(node.get("Next"), str):
        yield Edge(name, node["Next"])
    elif node.get("End") is True or node.get("Type") == "Succeed":
        yield Edge(name, None)
    for catcher in _objects(node.get("Catch")):
        yield Edge(name, _target(catcher), EdgeKind.CATCH, (catcher_words(catcher),), (all_errors(catcher),))


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _target(rule: Mapping[str, Any]) -> str:
    return str(rule.get("Next", "?"))


def _merged(transitions: Iterator[Edge]) -> Iterator[Edge]:
    """Merge a state's transitions of the same kind and target."""
    found: dict[tuple[str | None, EdgeKind], list[Edge]] = {}
    for each in transitions:
        found.setdefault((each.target, each.kind), []).append(each)
    for alike in found.values():
        labels = tuple(label for each in alike for label in each.labels)
        details = tuple(detail for each in alike for detail in each.details)
        yield Edge(alike[0].source, alike[0].target, alike[0].kind, labels, details)


def _in_reading_order(names: list[str], transitions: list[Edge]) -> list[str]:
    """Return states in the order of an execution, unreachable ones last."""
    after: dict[str | None, list[str]] = {}
    for each in transitions:
        if each.target is not None:
            after.setdefault(each.source, []).append(each.target)
    ordered: dict[str, None] = {}
    waiting = list(after.get(None, []))
    for name in waiting:  # grows during iteration
        if name not in ordered:
            ordered[name] = None
            waiting += after.get(name, [])
    return [*ordered, *(name for name in names if name not in ordered)]
