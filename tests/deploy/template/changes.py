"""The effect of a template update on each resource, by CloudFormation's schemas."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]  # it ships no types

from deploy.template.check import REGION
from deploy.template.cloudformation import Template

# What an update in place gives another value to.
MOVING_ATTRIBUTES = {"StateMachineRevisionId"}


@dataclass(frozen=True)
class Changes:
    """Logical ids by what happens to them."""

    added: set[str]
    removed: set[str]
    replaced: set[str]
    updated: set[str]


@dataclass(frozen=True)
class Deployed:
    """A translated template with the values of its parameters."""

    template: Template
    parameters: Mapping[str, str]

    def properties(self, name: str, moved: set[tuple[str, str]]) -> dict[str, Any]:
        """Return a resource's properties with parameters resolved and moved references marked."""
        declared = self.template["Parameters"]
        values = {one: str(self.parameters.get(one, it.get("Default", ""))) for one, it in declared.items()}
        filled: dict[str, Any] = _fill(self.template["Resources"][name].get("Properties", {}), values, moved)
        return filled


def changes(before: Deployed, after: Deployed) -> Changes:
    """Return an update's effects. A different create-only property replaces its resource."""
    old, new = before.template["Resources"], after.template["Resources"]
    both = old.keys() & new.keys()
    replaced: set[str] = set()
    updated: set[str] = set()
    while True:
        moved = {(name, "*") for name in replaced} | {(name, it) for name in updated for it in MOVING_ATTRIBUTES}
        pairs = {name: (before.properties(name, set()), after.properties(name, moved)) for name in both}
        differing = {name for name, (was, becomes) in pairs.items() if was != becomes}
        now = {name for name in differing if _is_replaced(new[name]["Type"], *pairs[name])}
        if (now, differing - now) == (replaced, updated):
            return Changes(new.keys() - old.keys(), old.keys() - new.keys(), replaced, updated)
        replaced, updated = now, differing - now


def _is_replaced(kind: str, was: dict[str, Any], becomes: dict[str, Any]) -> bool:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
    paths = [path.removeprefix("/properties/").split("/") for path in schema.get("createOnlyProperties", [])]
    return any(_at(was, path) != _at(becomes, path) for path in paths)


def _at(value: Any, path: list[str]) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _fill(value: Any, parameters: Mapping[str, str], moved: set[tuple[str, str]]) -> Any:
    if isinstance(value, list):
        return [_fill(item, parameters, moved) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"Ref"}:
        name = value["Ref"]
        return parameters.get(name, {"Ref": name, "moved": (name, "*") in moved})
    if value.keys() == {"Fn::GetAtt"}:
        name, attribute = value["Fn::GetAtt"]
        return {**value, "moved": bool({(name, "*"), (name, attribute)} & moved)}
    if value.keys() == {"Fn::Sub"} and isinstance(value["Fn::Sub"], str):
        return re.sub(r"\$\{([\w:.]+)\}", lambda found: _sub(found[1], parameters, moved), value["Fn::Sub"])
    return {key: _fill(item, parameters, moved) for key, item in value.items()}


def _sub(name: str, parameters: Mapping[str, str], moved: set[tuple[str, str]]) -> str:
    return parameters.get(name) or json.dumps([name, (name.partition(".")[0], "*") in moved])
