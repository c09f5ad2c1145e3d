"""What an execution goes through, read out of its definition: the way that most take, without what is caught."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from deploy.cost.transitions import read_definition
from deploy.packages.functions import FUNCTIONS

# Where a Choice has no say about the way that most take, its Default is taken.
WAYS: Mapping[str, str] = {"By Kind": "Make Thumbnails"}
_NAMES = {f"${{{function.resource}Arn}}": function.name for function in FUNCTIONS}


@dataclass(frozen=True)
class Pass:
    """A state that takes no time: Pass, Choice, Succeed."""


@dataclass(frozen=True)
class Retrier:
    """How a throttled function is tried again, with JitterStrategy FULL: after up to ``delay`` seconds."""

    interval_seconds: float = 2
    backoff_rate: float = 2
    max_delay_seconds: float = 60
    max_attempts: int = 6

    def delay(self, attempt: int) -> float:
        """Return the longest wait before a retry, 0 being the first."""
        return min(self.interval_seconds * self.backoff_rate**attempt, self.max_delay_seconds)


@dataclass(frozen=True)
class Work:
    """A Task: invokes a function. ``is_answered_later``: by its task token, when a person has acted."""

    function: str
    retrier: Retrier = Retrier()
    is_answered_later: bool = False


@dataclass(frozen=True)
class Fan:
    """A Map: so many of ``body`` as the input at ``items`` has, ``at_a_time`` of them side by side."""

    items: str
    at_a_time: int
    body: "Shape"


type Shape = tuple[Pass | Work | Fan, ...]


@cache
def shape_of_workflow(workflow: str) -> Shape:
    """Return the shape of the rendered state machine of a workflow."""
    return shape_of(read_definition(workflow))


def shape_of(definition: Mapping[str, Any]) -> Shape:
    """Return the states of a definition, or of a Map's processor, in the order they are entered.

    Raises KeyError for what no workflow here has: other integrations than Lambda's, Parallel, Wait.
    """
    return tuple(_step(state) for state in _states(definition))


def transitions(shape: Shape, widths: Mapping[str, int]) -> int:
    """Return how many states are entered, each a transition, when the Maps have so many items."""
    return sum(
        1 + (widths[step.items] * transitions(step.body, widths) if isinstance(step, Fan) else 0) for step in shape
    )


def _states(definition: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    name = definition["StartAt"]
    while name:
        state = definition["States"][name]
        yield state
        name = WAYS.get(name, state.get("Default")) if state["Type"] == "Choice" else state.get("Next")


def _step(state: Mapping[str, Any]) -> Pass | Work | Fan:
    match state["Type"]:
        case "Task":
            function = _NAMES[state["Parameters"]["FunctionName"]]
            return Work(function, _retrier(state), state["Resource"].endswith(".waitForTaskToken"))
        case "Map":
            items = state["ItemsPath"].removeprefix("$.")
            return Fan(items, state["MaxConcurrency"], shape_of(state["ItemProcessor"]))
        case "Pass" | "Choice" | "Succeed":
            return Pass()
    raise KeyError(state["Type"])


def _retrier(state: Mapping[str, Any]) -> Retrier:
    [found] = [one for one in state["Retry"] if "Lambda.TooManyRequestsException" in one["ErrorEquals"]]
    return Retrier(found["IntervalSeconds"], found["BackoffRate"], found["MaxDelaySeconds"], found["MaxAttempts"])
