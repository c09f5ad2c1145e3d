"""Rules across states: names, labels, transitions, reachability and variables."""

import re
from collections.abc import Iterator

from asl_engine.definition.diagnostics import Diagnostic
from asl_engine.definition.scopes import Node, Scope, assigned_in, scopes_of, transitions_of

MISSING_TRANSITION_TARGET = "MISSING_TRANSITION_TARGET"
MAX_STATE_NAME = 80
MAX_LABEL = 40
# https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html#map-state-distributed-fields
_NOT_IN_A_LABEL = re.compile(r"[\s?*<>{}\[\]\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]")


def check_flow(definition: Node) -> Iterator[Diagnostic]:
    """Yield the problems between the states of a definition, whatever other problems it has."""
    scopes = list(scopes_of(definition))
    yield from _names(scopes)
    yield from _labels(scopes)
    yield from _variables(scopes)
    for scope in scopes:
        yield from _targets(scope)
    if scopes[0].states and not any(map(_is_terminal, scopes[0].states.values())):
        # AWS reports no unreachable states then
        yield Diagnostic("MISSING_END_STATE", "Workflow has no terminal state", "", 'Give one state "End": true.')
        scopes = scopes[1:]
    for scope in scopes:
        yield from _unreachable(scope)


def _is_terminal(state: Node) -> bool:
    return state.get("Type") in ("Succeed", "Fail") or state.get("End") is True


def _names(scopes: list[Scope]) -> Iterator[Diagnostic]:
    seen: set[str] = set()
    for scope in scopes:
        for name in scope.states:
            at = scope.location_of(name)
            if name in seen:
                remedy = "Rename one of the two: names are unique in the machine as a whole."
                yield Diagnostic("DUPLICATE_STATE_NAME", f"Duplicate State name: {name}", at, remedy)
            if len(name) > MAX_STATE_NAME:
                message = f"State name '{name}' exceeds the {MAX_STATE_NAME}-character limit allowed by the service"
                yield Diagnostic("INVALID_STATE_NAME", message, at, "Shorten the name.")
            seen.add(name)


def _labels(scopes: list[Scope]) -> Iterator[Diagnostic]:
    seen: set[str] = set()
    for scope in scopes:
        for name, state in scope.states.items():
            label = state.get("Label")
            if not isinstance(label, str):
                continue
            at = f"{scope.location_of(name)}/Label"
            unfit = _NOT_IN_A_LABEL.search(label)
            if len(label) > MAX_LABEL:
                message = f"Label cannot exceed {MAX_LABEL} characters"
                yield Diagnostic("INVALID_LABEL_NAME", message, at, "Shorten the label.")
            elif unfit:
                message = f"Label contains invalid character: {unfit[0]!r}"
                yield Diagnostic("INVALID_LABEL_NAME", message, at, "Use letters, digits, - and _.")
            elif label in seen:
                remedy = "Give each Map its own label."
                yield Diagnostic("DUPLICATE_LABEL_NAME", f"Duplicate Label name: {label}", at, remedy)
            seen.add(label)


def _variables(scopes: list[Scope]) -> Iterator[Diagnostic]:
    """Yield inner variables with the name of an outer one.

    A Catch of the state around them may assign the same name, as it does so after they end.
    https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html#variable-scope
    """
    for scope in scopes:
        outer, inner = set[str](), scope
        while inner.parent is not None:
            outer |= assigned_in(inner.parent, no_catch_of=inner.enclosing_state).keys()
            inner = inner.parent
        assigned = assigned_in(scope)
        for name in assigned.keys() & outer:
            message = f"The variable name '{name}' was already defined in a parent scope."
            yield Diagnostic("DUPLICATE_VARIABLE_NAME", message, assigned[name], "Take another name here.")


def _targets(scope: Scope) -> Iterator[Diagnostic]:
    start = scope.node.get("StartAt")
    known = scope.node.get("States")
    if not isinstance(known, dict):
        return
    entrance = [(start, f"{scope.location}/StartAt")] if isinstance(start, str) else []
    ways = [(way.target, way.location) for name in scope.states for way in transitions_of(scope, name)]
    for target, location in entrance + ways:
        if target not in known:
            remedy = "Name a state of the same set of states."
            yield Diagnostic(MISSING_TRANSITION_TARGET, f"Missing 'Next' target: {target}", location, remedy)


def _unreachable(scope: Scope) -> Iterator[Diagnostic]:
    """Yield states without a transition to them first, then one of each cycle."""
    if not isinstance(scope.node.get("StartAt"), str):
        return
    ways = {name: {way.target for way in transitions_of(scope, name)} for name in scope.states}
    led_to = {target for name, targets in ways.items() for target in targets - {name}}
    reached: set[str] = set()
    _reach(scope.node.get("StartAt"), ways, reached)
    for name in sorted(ways, key=led_to.__contains__):
        if name not in reached:
            _reach(name, ways, reached)
            remedy = "Lead to it by Next, Default, Choices or Catch, or remove it."
            message = f'State "{name}" is not reachable.'
            yield Diagnostic(MISSING_TRANSITION_TARGET, message, scope.location_of(name), remedy)


def _reach(start: object, ways: dict[str, set[str]], reached: set[str]) -> None:
    waiting = [start] if isinstance(start, str) else []
    while waiting:
        name = waiting.pop()
        if name in ways and name not in reached:
            reached.add(name)
            waiting += ways[name]
