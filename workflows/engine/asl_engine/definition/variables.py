"""Which variables the states of a definition assign, and which they refer to (DescribeStateMachine)."""

import re
from collections.abc import Iterator

from asl_engine.definition.fields import speaks_jsonata
from asl_engine.definition.jsonata_names import names_in
from asl_engine.definition.scopes import Node, Scope, indexed_objects, scopes_of
from asl_engine.jsontext import Json
from asl_engine.language.templates import is_jsonata, jsonata_of

_WITHIN = frozenset({"ItemProcessor", "Iterator", "Branches"})
_NOT_EVALUATED = frozenset({"Comment", "Result", "Next", "Default", "Resource", "ErrorEquals", "Retry"})
_TEMPLATES = frozenset({"Parameters", "ResultSelector", "ItemSelector", "Assign", "BatchInput", "Credentials"})

_PATH_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'")
_NAME = re.compile(r"(?<![\w$])\$([^\W\d]\w*)")


def references(definition: Node) -> dict[str, list[str]]:
    """Return the names of the variables that each state refers to; states without any are left out."""
    jsonata = speaks_jsonata(definition, inherited=False)
    found: dict[str, list[str]] = {}
    for scope in scopes_of(definition):
        for name, state in scope.states.items():
            names = sorted(_of_state(state, speaks_jsonata(state, jsonata)))
            if names:
                found[name] = names
    return found


def assigned_in(scope: Scope) -> dict[str, str]:
    """Return the variables that a scope's own states assign, and where each is assigned first."""
    found: dict[str, str] = {}
    for name, state in scope.states.items():
        at = scope.location_of(name)
        holders = [(at, state)]
        for field in ("Choices", "Catch"):
            holders += [(f"{at}/{field}[{index}]", entry) for index, entry in indexed_objects(state.get(field))]
        for location, holder in holders:
            assign = holder.get("Assign")
            for key in assign if isinstance(assign, dict) else ():
                found.setdefault(key.removesuffix(".$"), f"{location}/Assign/{key}")
    return found


def _of_state(state: Node, jsonata: bool) -> set[str]:
    own = {name: value for name, value in state.items() if name not in _WITHIN | _NOT_EVALUATED}
    if jsonata:
        return {name for text in _strings(own) if is_jsonata(text) for name in names_in(jsonata_of(text)).variables}
    return {name for text in _paths(own, in_template=False) for name in _NAME.findall(_PATH_QUOTED.sub("''", text))}


def _strings(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for member in value.values() if isinstance(value, dict) else value:
            yield from _strings(member)


def _paths(value: Json, *, in_template: bool) -> Iterator[str]:
    if isinstance(value, list):
        for element in value:
            yield from _paths(element, in_template=in_template)
    elif isinstance(value, dict):
        for name, member in value.items():
            if not isinstance(member, str):
                yield from _paths(member, in_template=in_template or name in _TEMPLATES)
            elif name.endswith(".$") if in_template else name.endswith("Path") or name == "Variable":
                yield member
