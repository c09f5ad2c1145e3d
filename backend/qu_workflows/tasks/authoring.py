"""Workflows in Python, in the ``workflows`` modules of the apps.

::

    @step(permanent=(OutOfStock,))
    def reserve_stock(order_id: int, quantity: int) -> dict[str, Any]: ...

    @step
    def print_label(order_id: int, reserved: int) -> dict[str, Any]: ...

    ship_order = workflow("ship_order", reserve_stock, print_label)

``ship_order.enqueue(order_id=7, quantity=2)`` then starts an execution. A step is called with the fields of its input
as keyword arguments, and the dict that it returns is the input of what follows.
"""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, overload

from qu_workflows.protocol.catalog import RUN_TASK, CatalogEntry
from qu_workflows.protocol.errors import ExplainedError
from qu_workflows.protocol.project import Project, StepHandler
from qu_workflows.tasks.registry import parameters_of, registered_tasks
from qu_workflows.tasks.services import AsyncTask, RunsAsWorkflow, async_task

type Node = Step | Choose | ForEach | Parallel
type States = dict[str, dict[str, Any]]

_COMPARISONS: Mapping[type, str] = {
    bool: "BooleanEquals",
    int: "NumericEquals",
    float: "NumericEquals",
    str: "StringEquals",
}


class WorkflowInvalid(ExplainedError):
    """A workflow cannot be made of its steps."""


@dataclass(frozen=True)
class Step:
    """A function as a step of workflows; calling it calls the function."""

    func: Callable[..., Any]
    timeout_seconds: int
    max_attempts: int
    permanent: tuple[type[Exception], ...]

    @property
    def name(self) -> str:
        """The name of the function, as its Lambda function has it on AWS."""
        return self.func.__name__

    @property
    def where(self) -> str:
        """The file and line of the function."""
        return f"{self.func.__code__.co_filename}:{self.func.__code__.co_firstlineno}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself."""
        return self.func(*args, **kwargs)

    def handle(self, event: Any, _context: Any) -> Any:
        """Call the function with an object's fields as keyword arguments, or with another value."""
        return self.func(**event) if isinstance(event, dict) else self.func(event)

    def state(self) -> dict[str, Any]:
        """Return the Task state, without its end. Errors in ``permanent`` are not retried."""
        resource = "".join(word.capitalize() for word in self.name.split("_"))
        never = [{"ErrorEquals": [one.__name__ for one in self.permanent], "MaxAttempts": 0}] if self.permanent else []
        back_off = {"IntervalSeconds": 1, "BackoffRate": 2, "MaxDelaySeconds": 60, "JitterStrategy": "FULL"}
        return {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": f"${{{resource}FunctionArn}}", "Payload.$": "$"},
            "OutputPath": "$.Payload",
            "TimeoutSeconds": self.timeout_seconds,
            "Retry": [*never, {"ErrorEquals": ["States.ALL"], "MaxAttempts": self.max_attempts - 1, **back_off}],
        }


@dataclass(frozen=True)
class Choose:
    """A choice by a field's value. Each branch continues with the node after the choice."""

    field: str
    branches: Mapping[Any, Sequence[Node]]
    otherwise: Sequence[Node]


@dataclass(frozen=True)
class ForEach:
    """Steps for each item of a field, whose results replace the items."""

    field: str
    nodes: Sequence[Node]
    max_concurrency: int


@dataclass(frozen=True)
class Parallel:
    """Concurrent branches with the same input; their results become the list ``results``."""

    branches: Sequence[Sequence[Node]]


@overload
def step(func: Callable[..., Any], /) -> Step: ...
@overload
def step(
    *, timeout_seconds: int = 60, max_attempts: int = 3, permanent: tuple[type[Exception], ...] = ()
) -> Callable[[Callable[..., Any]], Step]: ...
def step(
    func: Callable[..., Any] | None = None,
    *,
    timeout_seconds: int = 60,
    max_attempts: int = 3,
    permanent: tuple[type[Exception], ...] = (),
) -> Step | Callable[[Callable[..., Any]], Step]:
    """Make a function a step, retried unless its error is ``permanent``.

    A step may run twice after a crash: give its effect a key. It takes and returns JSON values.
    """

    def decorate(decorated: Callable[..., Any]) -> Step:
        return Step(decorated, timeout_seconds, max_attempts, permanent)

    return decorate if func is None else decorate(func)


def choose(field: str, branches: Mapping[Any, Node | Sequence[Node]], otherwise: Sequence[Node] | Node = ()) -> Choose:
    """Choose the next steps by a text, number or bool in a field."""
    return Choose(field, {value: _chain(nodes) for value, nodes in branches.items()}, _chain(otherwise))


def for_each(field: str, *nodes: Node, max_concurrency: int = 0) -> ForEach:
    """Run steps for each item in a field, ``max_concurrency`` at a time (0: all)."""
    return ForEach(field, nodes, max_concurrency)


def parallel(*branches: Node | Sequence[Node]) -> Parallel:
    """Run branches at the same time."""
    return Parallel([_chain(nodes) for nodes in branches])


def workflow(name: str, *nodes: Node) -> AsyncTask[..., Any]:
    """Make a workflow and return the task that starts it.

    The task has the parameters of the first step. Raises WorkflowInvalid for a second workflow of this name, a step
    that occurs twice, a step with the name of another one, and a first node that is not a step.
    """
    first = nodes[0] if nodes else None
    if not isinstance(first, Step):
        raise WorkflowInvalid(f"workflow {name!r}", "does not begin with a step.", "Make its first node a @step.")
    known = _workflows.get(name)
    if known is not None and known.where != first.where:
        raise WorkflowInvalid(first.where, f"a workflow {name!r} is also at {known.where}.", "Rename one of them.")
    steps = _steps_of(nodes)
    _refuse_other_functions(steps)
    _workflows[name] = AuthoredWorkflow(name, first, json.dumps(_machine(nodes), indent=2), steps)

    def start() -> None:
        raise RunsAsWorkflow(name)

    start.__name__ = start.__qualname__ = name
    start.__module__ = first.func.__module__
    start.__signature__ = inspect.signature(first.func)  # type: ignore[attr-defined]  # what inspect reads first
    return async_task(name)(start)


@dataclass(frozen=True)
class AuthoredWorkflow:
    """A workflow of an app: its definition as JSON, and its steps by name."""

    name: str
    first: Step
    definition: str
    steps: Mapping[str, Step]

    @property
    def where(self) -> str:
        """The file and line of the first step."""
        return self.first.where


_workflows: dict[str, AuthoredWorkflow] = {}


def authored_steps() -> Mapping[str, StepHandler]:
    """Return the handlers of all steps by name."""
    registered_tasks()  # imports the modules of the apps
    return {name: one.handle for authored in _workflows.values() for name, one in authored.steps.items()}


class AppsProject(Project):
    """The project of a process that registers none: its apps' workflows and tasks."""

    def __init__(self) -> None:
        super().__init__(Path(), Path())

    @cached_property
    def workflow_tasks(self) -> tuple[CatalogEntry, ...]:
        """The tasks with a workflow of their own."""
        return tuple(
            CatalogEntry(name, name, parameters=parameters_of(one.first.func)) for name, one in _workflows.items()
        )

    @cached_property
    def catalog(self) -> Mapping[str, CatalogEntry]:
        """Every task that may run, by name."""
        return {name: task.entry for name, task in registered_tasks().items()}

    @cached_property
    def workflows(self) -> tuple[str, ...]:
        """The names of all workflows."""
        registered_tasks()
        return (*_workflows, RUN_TASK)

    def asl_of(self, workflow: str) -> str:
        """Return a workflow's definition. Raises FileNotFoundError for that of tasks of one step."""
        if workflow not in _workflows:
            raise FileNotFoundError(2, "No such workflow", workflow)
        return _workflows[workflow].definition


def _refuse_other_functions(steps: Mapping[str, Step]) -> None:
    """Refuse a step with the name of another function, as names find steps."""
    for authored in _workflows.values():
        for name, one in steps.items():
            known = authored.steps.get(name, one)
            if known.where != one.where:
                raise WorkflowInvalid(one.where, f"a step {name!r} is also at {known.where}.", "Rename one of them.")


def _chain(nodes: Node | Sequence[Node]) -> Sequence[Node]:
    return nodes if isinstance(nodes, Sequence) else [nodes]


def _machine(nodes: Sequence[Node]) -> dict[str, Any]:
    states: States = {}
    start = _add(states, nodes, None)
    return {"StartAt": start, "States": states}


def _add(states: States, nodes: Sequence[Node], after: str | None) -> str | None:
    """Add the states of a chain before ``after``; return the first one's name."""
    for node in reversed(nodes):
        name, state = _state(states, node, after)
        if name in states and isinstance(node, Step):
            raise WorkflowInvalid(node.where, f"the state {name!r} occurs twice.", "Use each step once in a workflow.")
        if name in states:
            name = next(one for number in count(2) if (one := f"{name} {number}") not in states)
        following = {"Next": after} if after else {"End": True}
        states[name] = state if state["Type"] == "Choice" else state | following
        after = name
    return after


def _state(states: States, node: Node, after: str | None) -> tuple[str, dict[str, Any]]:
    match node:
        case Step():
            return _title(node.name), node.state()
        case ForEach(field, nodes, max_concurrency):
            path = f"$.{field}"
            item = _machine(nodes)
            limits = {"MaxConcurrency": max_concurrency, "ItemProcessor": item}
            return f"Each {_title(field)}", {"Type": "Map", "ItemsPath": path, "ResultPath": path, **limits}
        case Parallel(branches):
            machines = [_machine(nodes) for nodes in branches]
            return "Parallel", {"Type": "Parallel", "Branches": machines, "ResultPath": "$.results"}
        case Choose(field, branches, otherwise):
            return f"Choose {_title(field)}", _choice(states, field, branches, otherwise, after)
        case _:  # a chain is written by hand, and nothing checks its types
            raise WorkflowInvalid(repr(node), "is no step.", "Decorate the function with @step.")


def _choice(
    states: States, field: str, branches: Mapping[Any, Sequence[Node]], otherwise: Sequence[Node], after: str | None
) -> dict[str, Any]:
    if after is None:
        after = f"After {_title(field)}"
        states[after] = {"Type": "Succeed"}
    unknown = [value for value in branches if type(value) not in _COMPARISONS]
    if unknown:
        raise WorkflowInvalid(
            f"choose({field!r})", f"has a branch for {unknown[0]!r}.", "Use texts, numbers and bools."
        )
    rules = [
        {"Variable": f"$.{field}", _COMPARISONS[type(value)]: value, "Next": _add(states, nodes, after)}
        for value, nodes in branches.items()
    ]
    return {"Type": "Choice", "Choices": rules, "Default": _add(states, otherwise, after)}


def _steps_of(nodes: Sequence[Node]) -> dict[str, Step]:
    found: dict[str, Step] = {}
    for node in nodes:
        match node:
            case Step():
                found[node.name] = node
            case ForEach(_, inner, _):
                found |= _steps_of(inner)
            case Parallel(branches):
                found |= {name: one for inner in branches for name, one in _steps_of(inner).items()}
            case Choose(_, branches, otherwise):
                found |= {name: one for inner in branches.values() for name, one in _steps_of(inner).items()}
                found |= _steps_of(otherwise)
    return found


def _title(name: str) -> str:
    return name.replace("_", " ").title()
