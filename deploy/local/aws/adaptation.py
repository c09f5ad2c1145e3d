"""What the AWS stand-in can not take is changed in the translated template here, and named: nothing else differs."""

import copy
from collections.abc import Collection, Mapping
from typing import Any

from deploy.template.cloudformation import Template

# ministack 1.5.33 refuses a stack that has these, even under a condition that is false.
UNKNOWN_TYPES: Mapping[str, str] = {
    "AWS::StepFunctions::StateMachineVersion": "versions of state machines",
    "AWS::StepFunctions::StateMachineAlias": "aliases of state machines",
    "AWS::RDS::DBProxy": "proxy of the database",
    "AWS::RDS::DBProxyTargetGroup": "target of the proxy",
    "AWS::CodeDeploy::Application": "gradual deploys",
    "AWS::CodeDeploy::DeploymentGroup": "gradual deploys of functions",
}
# Of these, the ones that have this property.
UNKNOWN_PROPERTIES: Mapping[str, tuple[str, str]] = {"AWS::CloudWatch::Alarm": ("Metrics", "alarms by metric math")}
_UNKNOWN_WORDS = {**UNKNOWN_TYPES, **{kind: words for kind, (_, words) in UNKNOWN_PROPERTIES.items()}}
STARTED_INSTEAD = "The machine itself is started."
# Its own Python runtime tells a caller that a function failed, but not with which error, and starts a new
# process after each failure. Behind the Runtime API of provided.* functions it does neither.
LOCAL_RUNTIME = "provided.al2023"


def adapt(template: Template, parameters: Mapping[str, str]) -> tuple[Template, list[str]]:
    """Return a translated template that ministack takes, and one line for each thing that was changed."""
    adapted = copy.deepcopy(template)
    resources: dict[str, dict[str, Any]] = adapted["Resources"]
    dropped = {name: resource for name, resource in resources.items() if _unknown(resource)}
    for name in dropped:
        del resources[name]
    outputs: dict[str, Any] = adapted.get("Outputs", {})
    adapted["Outputs"] = {name: output for name, output in outputs.items() if not _reads_from(output, dropped)}
    references: dict[str, Any] = {name: {"Ref": machine} for name, machine in _machines_behind(dropped).items()}
    numbers = _numbers(adapted.get("Parameters", {}), parameters)
    adapted = _replace_references(adapted, references | numbers)
    for alias in (one for one in adapted["Resources"].values() if one["Type"] == "AWS::Lambda::Alias"):
        alias.pop("UpdatePolicy", None)  # which names the deployment group
    functions = [r for r in adapted["Resources"].values() if r["Type"] == "AWS::Lambda::Function"]
    for function in functions:
        function["Properties"]["Runtime"] = LOCAL_RUNTIME
    changes = [
        f"{words} left out: {', '.join(_names_of(dropped, kind))}."
        + (f" {STARTED_INSTEAD}" if "state machines" in words else "")
        for kind, words in _UNKNOWN_WORDS.items()
        if _names_of(dropped, kind)
    ]
    if functions:
        changes.append(f"functions on {LOCAL_RUNTIME}: {len(functions)}, their bootstrap being this Python.")
    if numbers:
        changes.append(f"numbers filled in: {', '.join(numbers)}. A Ref to them would give their text.")
    return adapted, changes


def _unknown(resource: Mapping[str, Any]) -> bool:
    refused, _ = UNKNOWN_PROPERTIES.get(resource["Type"], ("", ""))
    return resource["Type"] in UNKNOWN_TYPES or refused in resource.get("Properties", {})


def _numbers(declared: Mapping[str, Mapping[str, Any]], given: Mapping[str, str]) -> dict[str, int]:
    return {
        name: int(given.get(name, parameter.get("Default", "")))
        for name, parameter in declared.items()
        if parameter["Type"] == "Number"
    }


def _names_of(resources: Mapping[str, Mapping[str, Any]], kind: str) -> list[str]:
    return [name for name, resource in resources.items() if resource["Type"] == kind]


def _reads_from(value: Any, names: Collection[str]) -> bool:
    """Return whether an attribute of one of these is in it: unlike a Ref, it has nothing to stand in for it."""
    if isinstance(value, list):
        return any(_reads_from(item, names) for item in value)
    if not isinstance(value, dict):
        return False
    return any(item[0] in names if key == "Fn::GetAtt" else _reads_from(item, names) for key, item in value.items())


def _machines_behind(dropped: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the state machine's logical id for each version and alias that was dropped."""
    machines: dict[str, str] = {}
    for name, resource in dropped.items():
        if resource["Type"] == "AWS::StepFunctions::StateMachineVersion":
            machines[name] = resource["Properties"]["StateMachineArn"]["Ref"]
    for name, resource in dropped.items():
        if resource["Type"] == "AWS::StepFunctions::StateMachineAlias":
            version = resource["Properties"]["DeploymentPreference"]["StateMachineVersionArn"]["Ref"]
            machines[name] = machines[version]
    return machines


def _replace_references(value: Any, instead: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_replace_references(item, instead) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"Ref"} and value["Ref"] in instead:
        return instead[value["Ref"]]
    if value.keys() == {"Variables"}:  # of a function's environment: texts, as a reference gives them
        instead = {name: other for name, other in instead.items() if not isinstance(other, int)}
    return {key: _replace_references(item, instead) for key, item in value.items()}
