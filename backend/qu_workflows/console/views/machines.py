"""State machines: the outcomes of their executions, the graph and how often each way was taken, the contract."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _

from qu_workflows.console.access import page
from qu_workflows.console.graph import DrawingOptions, GraphNotDrawn, UnclearDefinition, draw, read_definition, svg_of
from qu_workflows.console.graph.model import Level
from qu_workflows.console.responses import Page, json_file, svg_file
from qu_workflows.executions.queries import (
    DeployedStateMachine,
    EdgeCounts,
    StateMachine,
    StepStatistics,
    WorkflowContract,
    contracts_of,
    deployed,
    edge_counts,
    find_machine,
    list_machines,
    state_machine_url,
    step_statistics,
)
from qu_workflows.protocol.definitions import definition_of
from qu_workflows.protocol.refusals import OperationRefused


@dataclass(frozen=True)
class EdgeRow:
    """A transition of the definition as a row. ``condition`` is "" for one that needs none."""

    source: str
    target: str
    kind: str
    condition: str
    taken: int


@dataclass(frozen=True)
class StateRow:
    """A state as a row. ``anchor`` is where its node in the graph leads; ``figures`` are None without samples of it."""

    name: str
    kind: str
    anchor: str
    figures: StepStatistics | None


@dataclass(frozen=True)
class MachinePage:
    """The page of one state machine. ``samples`` are the executions by which ``ways`` were counted."""

    machine: StateMachine
    deployed: DeployedStateMachine
    definition: Mapping[str, Any] | None
    definition_is_live: bool
    contracts: list[WorkflowContract]
    states: list[StateRow]
    ways: list[EdgeRow]
    samples: int
    aws_console_url: str


@page
def machine_list(request: HttpRequest) -> Page:  # noqa: ARG001
    """Show every workflow, with the outcomes of its executions."""
    machines = list_machines(timezone.now())
    return Page(template="console/machines.html", title=_("State machines"), data={"machines": machines})


@page
def machine(request: HttpRequest, workflow: str) -> Page:  # noqa: ARG001
    """Show one workflow: graph, ways, states, contract, versions and aliases."""
    found = _find(workflow)
    at_aws, definition, is_live = _definition(found)
    level, counted = _level(definition), edge_counts(workflow)
    shown = MachinePage(
        machine=found,
        deployed=replace(at_aws, definition=None),  # it is in ``definition`` already
        definition=definition,
        definition_is_live=is_live,
        contracts=contracts_of(workflow),
        states=_state_rows(workflow, level),
        ways=_ways(level, counted),
        samples=counted.executions,
        aws_console_url=state_machine_url(found.arn) if found.arn else "",
    )
    context = {
        "graph": draw(
            definition or {}, **_options(counted, shown.states, title=_("Graph of %(name)s") % {"name": workflow})
        ),
        "definition_text": json.dumps(definition, indent=2, ensure_ascii=False),
    }
    return Page(template="console/machine.html", title=workflow, data=shown, context=context)


@page
def definition_json(request: HttpRequest, workflow: str) -> HttpResponseBase:  # noqa: ARG001
    """Give the definition as a file."""
    _deployed, definition, _is_live = _definition(_find(workflow))
    return json_file(definition or {}, f"{workflow}.asl")


@page
def graph_svg(request: HttpRequest, workflow: str) -> HttpResponseBase:  # noqa: ARG001
    """Give the graph as a file."""
    _deployed, definition, _is_live = _definition(_find(workflow))
    try:
        svg = svg_of(definition or {}, **_options(edge_counts(workflow), title=workflow))
    except GraphNotDrawn as not_drawn:
        raise Http404(str(not_drawn)) from not_drawn
    return svg_file(svg, workflow)


def _find(workflow: str) -> StateMachine:
    try:
        return find_machine(workflow, timezone.now())
    except OperationRefused as refused:
        raise Http404(str(refused)) from refused


def _definition(found: StateMachine) -> tuple[DeployedStateMachine, Mapping[str, Any] | None, bool]:
    """Return the definition that Step Functions has, or else the one of this project's files, and which it is."""
    at_aws = deployed(found.arn) if found.arn else DeployedStateMachine()
    if at_aws.definition is not None:
        return at_aws, at_aws.definition, True
    try:
        return at_aws, definition_of(found.workflow), False
    except (OSError, ValueError):
        return at_aws, None, False


def _level(definition: Mapping[str, Any] | None) -> Level | None:
    try:
        return read_definition(definition)
    except UnclearDefinition:
        return None


def _state_rows(workflow: str, level: Level | None) -> list[StateRow]:
    figures = {each.state: each for each in step_statistics(workflow)}
    states = [] if level is None else level.all_states()
    return [
        StateRow(state.name, state.kind, f"state-{number}", figures.get(state.name))
        for number, state in enumerate(states)
    ]


def _ways(level: Level | None, counted: EdgeCounts) -> list[EdgeRow]:
    transitions = [] if level is None else level.all_transitions()
    ends = [(each, (each.source or "", each.target or "")) for each in transitions]
    return [EdgeRow(*pair, each.way.value, "; ".join(each.details), counted.taken.get(pair, 0)) for each, pair in ends]


def _options(counted: EdgeCounts, rows: Sequence[StateRow] = (), *, title: str) -> DrawingOptions:
    """Return a graph's options, its ways counted: on the page, where each node leads to its row, else as a file."""
    anchors = {row.name: f"#{row.anchor}" for row in rows}
    return DrawingOptions(
        href=anchors.__getitem__ if rows else None,
        edges=counted.taken if counted.executions else None,
        standalone=not rows,
        title=title,
    )
