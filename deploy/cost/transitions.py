"""Count the state transitions of an execution from its state machine definition.

AWS bills each state entry as a transition, retries included (https://aws.amazon.com/step-functions/pricing/). A Map is
one transition, and each of its items as many as it enters states.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from deploy import ROOT
from deploy.cost.figures import RETRY_RATE, SHAPES, NotEstimated, WorkflowShape
from deploy.packages.functions import FUNCTIONS

type Definition = Mapping[str, Any]

STATE_MACHINES = ROOT / "state_machines"
_FUNCTIONS = {f"${{{function.resource}Arn}}": function.name for function in FUNCTIONS}
# A loop is followed until a round carries less than this share.
_NEGLIGIBLE = 1e-9


@dataclass(frozen=True)
class Entries:
    """Entries of each state and invocations of each function per execution, retries excluded."""

    states: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    functions: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def tasks(self) -> float:
        """The number of entries of Task states."""
        return sum(self.functions.values())

    @property
    def transitions(self) -> float:
        """The transitions that AWS bills, retries at the assumed rate included."""
        return sum(self.states.values()) + RETRY_RATE * self.tasks


def workflows() -> list[str]:
    """Return the names of all rendered state machines."""
    return sorted(path.name.removesuffix(".asl.json") for path in STATE_MACHINES.glob("*.asl.json"))


@cache
def read_definition(workflow: str) -> Definition:
    """Return the rendered state machine of a workflow."""
    definition: Definition = json.loads((STATE_MACHINES / f"{workflow}.asl.json").read_text(encoding="utf-8"))
    return definition


@cache
def entries_of(workflow: str) -> Entries:
    """Return the state entries of one execution of a workflow. Raises NotEstimated."""
    return count_entries(read_definition(workflow), SHAPES[workflow])


def count_entries(definition: Definition, shape: WorkflowShape) -> Entries:
    """Return the state entries of one execution.

    Raises NotEstimated for a shape that does not fit the definition, for a distributed Map, and for a Task that invokes
    none of the project's functions.
    """
    found = Entries()
    _follow(definition, 1.0, shape, found)
    if unknown := {*shape.items, *shape.ways} - set(found.states):
        raise NotEstimated(f"its shape names states that no execution enters: {', '.join(sorted(unknown))}")
    return found


def function_of(name: str, state: Definition) -> str:
    """Return the function that a Task invokes. Raises NotEstimated."""
    arn = state.get("Parameters", {}).get("FunctionName")
    if arn not in _FUNCTIONS:
        raise NotEstimated(f"{name} invokes none of the functions")
    return _FUNCTIONS[arn]


def next_states(name: str, state: Definition, shape: WorkflowShape) -> Mapping[str, float]:
    """Return the share of executions for each next state; empty at the end."""
    following = state.get("Default") or state.get("Next")
    return shape.ways.get(name) or ({following: 1.0} if following else {})


def _follow(machine: Definition, times: float, shape: WorkflowShape, found: Entries) -> None:
    flow = {machine["StartAt"]: times}
    while flow:
        name, amount = flow.popitem()
        if name not in machine["States"]:
            raise NotEstimated(f"it has no state {name}, which its shape names")
        state = machine["States"][name]
        _count(name, state, amount, shape, found)
        for following, share in next_states(name, state, shape).items():
            if amount * share > _NEGLIGIBLE:
                flow[following] = flow.get(following, 0) + amount * share


def _count(name: str, state: Definition, times: float, shape: WorkflowShape, found: Entries) -> None:
    found.states[name] += times
    if state["Type"] == "Task":
        found.functions[function_of(name, state)] += times
    for branch in state.get("Branches", ()):
        _follow(branch, times, shape, found)
    if state["Type"] == "Map":
        body = state["ItemProcessor"]
        if name not in shape.items or body.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
            raise NotEstimated(f"the Map {name} is distributed, or its number of items is missing")
        _follow(body, times * shape.items[name], shape, found)
