"""State machines: outcomes of executions, graph with counted transitions, contract, versions."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _

from qu_workflows.console.access import page
from qu_workflows.console.graph import Drawing, GraphNotDrawn, draw, read_definition, svg_of
from qu_workflows.console.graph.model import Level
from qu_workflows.console.responses import Page, json_file, svg_file
from qu_workflows.executions import queries
from qu_workflows.executions.queries import DeployedStateMachine, EdgeCounts, StateMachine, StepStatistics
from qu_workflows.protocol.definitions import definition_of
from qu_workflows.protocol.refusals import OperationRefused


@dataclass(frozen=True)
class EdgeRow:
    """A transition as a row; ``condition`` may be ""."""

    source: str
    target: str
    kind: str
    condition: str
    taken: int


@dataclass(frozen=True)
class StateRow:
    """A state as a row, linked from the graph by ``anchor``."""

    name: str
    kind: str
    anchor: str
    figures: StepStatistics | None


@dataclass(frozen=True)
class MachinePage:
    """The page of one state machine. ``samples`` is the number of executions that were counted."""

    machine: StateMachine
    deployed: DeployedStateMachine
    definition: Mapping[str, Any] | None
    definition_is_live: bool
    contracts: list[queries.WorkflowContract]
    states: list[StateRow]
    transitions: list[EdgeRow]
    samples: int
    aws_console_url: str


@page
def machine_list(request: HttpRequest) -> Page:  # noqa: ARG001
    """Show every workflow with the outcomes of its executions."""
    machines = queries.list_machines(timezone.now())
    return Page(template="console/machines.html", title=_("State machines"), data={"machines": machines})


@page
def machine(request: HttpRequest, workflow: str) -> Page:  # noqa: ARG001
    """Show one workflow."""
    found = _find(workflow)
    at_aws, definition, is_live = _definition(found)
    level, counted = _level(definition), queries.edge_counts(workflow)
    shown = MachinePage(
        machine=found,
        deployed=replace(at_aws, definition=None),  # see ``definition``
        definition=definition,
        definition_is_live=is_live,
        contracts=queries.contracts_of(workflow),
        states=_state_rows(workflow, level),
        transitions=_transitions(level, counted),
        samples=counted.executions,
        aws_console_url=queries.state_machine_url(found.arn) if found.arn else "",
    )
    context = {
        "graph": draw(
            definition or {}, _drawing(counted, shown.states, title=_("Graph of %(name)s") % {"name": workflow})
        ),
        "definition_text": json.dumps(definition, indent=2, ensure_ascii=False),
    }
    return Page(template="console/machine.html", title=workflow, data=shown, context=context)


@page
def definition_json(request: HttpRequest, workflow: str) -> HttpResponseBase:  # noqa: ARG001
    """Return the definition as a file."""
    _deployed, definition, _is_live = _definition(_find(workflow))
    return json_file(definition or {}, f"{workflow}.asl")


@page
def graph_svg(request: HttpRequest, workflow: str) -> HttpResponseBase:  # noqa: ARG001
    """Return the graph as a file."""
    _deployed, definition, _is_live = _definition(_find(workflow))
    try:
        svg = svg_of(definition or {}, _drawing(queries.edge_counts(workflow), title=workflow))
    except GraphNotDrawn as not_drawn:
        raise Http404(str(not_drawn)) from not_drawn
    return svg_file(svg, workflow)


def _find(workflow: str) -> StateMachine:
    try:
        return queries.find_machine(workflow, timezone.now())
    except OperationRefused as refused:
        raise Http404(str(refused)) from refused


def _definition(found: StateMachine) -> tuple[DeployedStateMachine, Mapping[str, Any] | None, bool]:
    """Return the deployed definition or else that of the files, and whether it is deployed."""
    at_aws = queries.deployed(found.arn) if found.arn else DeployedStateMachine()
    if at_aws.definition is not None:
        return at_aws, at_aws.definition, True
    try:
        return at_aws, definition_of(found.workflow), False
    except (OSError, ValueError):
        return at_aws, None, False


def _level(definition: Mapping[str, Any] | None) -> Level | None:
    try:
        return read_definition(definition)
    except GraphNotDrawn:
        return None


def _state_rows(workflow: str, level: Level | None) -> list[StateRow]:
    figures = {each.state: each for each in queries.step_statistics(workflow)}
    states = [] if level is None else level.all_states()
    return [
        StateRow(state.name, state.kind, f"state-{number}", figures.get(state.name))
        for number, state in enumerate(states)
    ]


def _transitions(level: Level | None, counted: EdgeCounts) -> list[EdgeRow]:
    transitions = [] if level is None else level.all_transitions()
    pairs = [(each, (each.source or "", each.target or "")) for each in transitions]
    return [
        EdgeRow(*pair, each.kind.value, "; ".join(each.details), counted.taken.get(pair, 0)) for each, pair in pairs
    ]


def _drawing(counted: EdgeCounts, rows: Sequence[StateRow] = (), *, title: str) -> Drawing:
    """Return the drawing with counted transitions, linked to ``rows`` or as a file."""
    anchors = {row.name: f"#{row.anchor}" for row in rows}
    return Drawing(
        href=anchors.__getitem__ if rows else None,
        edges=counted.taken if counted.executions else None,
        standalone=not rows,
        title=title,
    )
