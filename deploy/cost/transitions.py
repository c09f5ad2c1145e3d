"""Counts state transitions: how often an execution enters each state of its definition.

"Step Functions counts a state transition each time a step of your workflow is executed", retries among them
(https://aws.amazon.com/step-functions/pricing/): a state entered is one transition, a Map is one and each of its items
as many as its states, and a try again is one more.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deploy import ROOT
from deploy.packages.functions import FUNCTIONS

type Definition = Mapping[str, Any]
type Ways = Mapping[str, Mapping[str, float]]

_FUNCTIONS = {f"${{{function.resource}Arn}}": function.name for function in FUNCTIONS}
# A loop that comes round this seldom is at its end.
_NEGLIGIBLE = 1e-9


@dataclass(frozen=True)
class Visits:
    """How often one execution enters each state, and how often its Tasks invoke each function. No retries in it."""

    states: Mapping[str, float]
    functions: Mapping[str, float]
    map_items: float

    @property
    def tasks(self) -> float:
        """How many states of the kind Task are entered."""
        return sum(self.functions.values())

    def transitions(self, retry_rate: float) -> float:
        """Return the transitions that AWS counts when this share of Tasks is tried once more."""
        return sum(self.states.values()) + retry_rate * self.tasks


def read_definition(workflow: str) -> Definition:
    """Return the rendered state machine of a workflow."""
    text = (ROOT / "state_machines" / f"{workflow}.asl.json").read_text(encoding="utf-8")
    definition: Definition = json.loads(text)
    return definition


def visits(definition: Definition, items: Mapping[str, float], ways: Ways | None = None) -> Visits:
    """Return what one execution enters.

    ``items`` has a number for each Map, ``ways`` the shares of what leaves a state; others go to Default or Next.
    Raises ValueError for a distributed Map, a Task without one of our functions, and a state that is not there.
    """
    states: defaultdict[str, float] = defaultdict(float)
    functions: defaultdict[str, float] = defaultdict(float)
    map_items = 0.0
    for name, state, times in _walk(definition, 1.0, items, ways or {}):
        states[name] += times
        if state["Type"] == "Task":
            functions[_function_of(name, state)] += times
        elif state["Type"] == "Map":
            map_items += times * _items_of(name, items)
    return Visits(dict(states), dict(functions), map_items)


def _walk(
    machine: Definition, times: float, items: Mapping[str, float], ways: Ways
) -> Iterator[tuple[str, Definition, float]]:
    for name, entered in _entered(machine, ways).items():
        state = machine["States"][name]
        yield name, state, entered * times
        for inner, repeated in _inside(name, state, items):
            yield from _walk(inner, entered * times * repeated, items, ways)


def _entered(machine: Definition, ways: Ways) -> dict[str, float]:
    """Follow the flow from StartAt until next to nothing of it is left: loops come round less and less."""
    flow: dict[str, float] = {machine["StartAt"]: 1.0}
    entered: defaultdict[str, float] = defaultdict(float)
    while flow:
        following: defaultdict[str, float] = defaultdict(float)
        for name, amount in flow.items():
            if name not in machine["States"]:
                raise ValueError(f"{name}: no state of that name. Correct its share in SHAPES.")
            entered[name] += amount
            for after, share in _ways_out(name, machine["States"][name], ways).items():
                following[after] += amount * share
        flow = {name: amount for name, amount in following.items() if amount > _NEGLIGIBLE}
    return dict(entered)


def _ways_out(name: str, state: Definition, ways: Ways) -> Mapping[str, float]:
    if name in ways:
        shares = ways[name]
        if abs(sum(shares.values()) - 1) > _NEGLIGIBLE or min(shares.values()) < 0:
            raise ValueError(f"{name}: its shares are {dict(shares)}. Make them 1 together, none below 0.")
        return shares
    after = state.get("Default") or state.get("Next")
    return {after: 1.0} if after else {}


def _inside(name: str, state: Definition, items: Mapping[str, float]) -> Iterator[tuple[Definition, float]]:
    if state["Type"] == "Map":
        body = state["ItemProcessor"]
        if body.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
            raise ValueError(f"{name}: a distributed Map is counted otherwise: each child is an execution.")
        yield body, _items_of(name, items)
    for branch in state.get("Branches", ()):
        yield branch, 1.0


def _items_of(name: str, items: Mapping[str, float]) -> float:
    if name not in items:
        raise ValueError(f"{name}: how many items it has is not said. Add it to SHAPES.")
    return items[name]


def _function_of(name: str, state: Definition) -> str:
    given = state.get("Parameters", {}).get("FunctionName")
    if given not in _FUNCTIONS:
        raise ValueError(f"{name}: invokes {given}, which is no function of deploy/packages/functions.py.")
    return _FUNCTIONS[given]
