"""Counts state transitions: how often an execution enters each state of its definition.

"Step Functions counts a state transition each time a step of your workflow is executed", retries among them
(https://aws.amazon.com/step-functions/pricing/): a state entered is one transition, a Map is one and each of its items
as many as its states, and a retry is one more.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy import ROOT
from deploy.cost.figures import RETRY_RATE, NotEstimated, WorkflowShape
from deploy.packages.functions import FUNCTIONS

type Definition = Mapping[str, Any]

STATE_MACHINES = ROOT / "state_machines"
_FUNCTIONS = {f"${{{function.resource}Arn}}": function.name for function in FUNCTIONS}
# A loop is followed until a round carries less than this share.
_NEGLIGIBLE = 1e-9


@dataclass(frozen=True)
class Visits:
    """How often one execution enters each state, and how often its Tasks invoke each function, without retries."""

    states: defaultdict[str, float]
    functions: defaultdict[str, float]

    @property
    def tasks(self) -> float:
        """Return the number of Task states entered."""
        return sum(self.functions.values())

    @property
    def transitions(self) -> float:
        """The transitions that AWS counts, with retries at the assumed rate."""
        return sum(self.states.values()) + RETRY_RATE * self.tasks


def workflows() -> list[str]:
    """Return the names of all rendered state machines."""
    return sorted(path.name.removesuffix(".asl.json") for path in STATE_MACHINES.glob("*.asl.json"))


def read_definition(workflow: str) -> Definition:
    """Return the rendered state machine of a workflow."""
    definition: Definition = json.loads((STATE_MACHINES / f"{workflow}.asl.json").read_text(encoding="utf-8"))
    return definition


def visits(definition: Definition, shape: WorkflowShape) -> Visits:
    """Return what one execution enters.

    Raises NotEstimated where the shape does not fit the definition, for a distributed Map, and for a Task that invokes
    no function of the project.
    """
    seen = Visits(defaultdict(float), defaultdict(float))
    _follow(definition, 1.0, shape, seen)
    if unknown := {*shape.items, *shape.ways} - set(seen.states):
        raise NotEstimated(f"its shape names states that no execution enters: {', '.join(sorted(unknown))}")
    return seen


def function_of(name: str, state: Definition) -> str:
    """Return the function that a Task invokes. Raises NotEstimated."""
    given = state.get("Parameters", {}).get("FunctionName")
    if given not in _FUNCTIONS:
        raise NotEstimated(f"{name} invokes none of the functions")
    return _FUNCTIONS[given]


def ways_out(name: str, state: Definition, shape: WorkflowShape) -> Mapping[str, float]:
    """Return the shares in which executions go on from a state; nothing at its end."""
    after = state.get("Default") or state.get("Next")
    return shape.ways.get(name) or ({after: 1.0} if after else {})


def _follow(machine: Definition, times: float, shape: WorkflowShape, seen: Visits) -> None:
    flow = {machine["StartAt"]: times}
    while flow:
        name, amount = flow.popitem()
        if name not in machine["States"]:
            raise NotEstimated(f"it has no state {name}, which its shape names")
        state = machine["States"][name]
        _count(name, state, amount, shape, seen)
        for after, share in ways_out(name, state, shape).items():
            if amount * share > _NEGLIGIBLE:
                flow[after] = flow.get(after, 0) + amount * share


def _count(name: str, state: Definition, times: float, shape: WorkflowShape, seen: Visits) -> None:
    seen.states[name] += times
    if state["Type"] == "Task":
        seen.functions[function_of(name, state)] += times
    for branch in state.get("Branches", ()):
        _follow(branch, times, shape, seen)
    if state["Type"] == "Map":
        body = state["ItemProcessor"]
        if name not in shape.items or body.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
            raise NotEstimated(f"the Map {name} is distributed, or its number of items is missing")
        _follow(body, times * shape.items[name], shape, seen)
