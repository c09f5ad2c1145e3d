"""What the AWS stand-in can not take is changed in the translated template here, and named: nothing else differs."""

import copy
from collections.abc import Collection, Mapping
from typing import Any

from deploy.template.cloudformation import Template

# ministack 1.5.33 refuses a stack that has these, even under a condition that is false.
UNKNOWN_TYPES = frozenset(
    {
        "AWS::CodeDeploy::Application",
        "AWS::CodeDeploy::DeploymentGroup",
        "AWS::RDS::DBProxy",
        "AWS::RDS::DBProxyTargetGroup",
        "AWS::StepFunctions::StateMachineAlias",  # the machine itself is started
        "AWS::StepFunctions::StateMachineVersion",
    }
)
# Its own Python runtime tells a caller that a function failed, but not with which error, and starts a new
# process after each failure. Behind the Runtime API of provided.* functions it does neither.
LOCAL_RUNTIME = "provided.al2023"


def adapt(template: Template, parameters: Mapping[str, str]) -> tuple[Template, list[str]]:
    """Return a translated template that ministack takes, and one line for each thing that was changed."""
    adapted = copy.deepcopy(template)
    dropped = {name: resource for name, resource in template["Resources"].items() if _is_unknown(resource)}
    numbers = _numbers(template.get("Parameters", {}), parameters)
    for section in ("Resources", "Outputs"):
        parts = adapted.get(section, {}).items()
        adapted[section] = {name: it for name, it in parts if name not in dropped and not _reads_from(it, dropped)}
    # SAM names the alias after the machine.
    machines = {name: {"Ref": name.partition("Alias")[0]} for name in dropped if "StateMachineAlias" in name}
    adapted = _replace_references(adapted, machines | numbers)
    for resource in adapted["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Alias":
            resource.pop("UpdatePolicy", None)  # which names the deployment group
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Runtime"] = LOCAL_RUNTIME
    return adapted, [
        *(f"{resource['Type']} {name} left out" for name, resource in dropped.items()),
        f"functions run on {LOCAL_RUNTIME}, their bootstrap being this Python",
        f"numbers filled in, since a Ref to them would give their text: {', '.join(numbers)}",
    ]


def _is_unknown(resource: Mapping[str, Any]) -> bool:
    is_of_math = resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"]
    return is_of_math or resource["Type"] in UNKNOWN_TYPES


def _numbers(declared: Mapping[str, Mapping[str, Any]], given: Mapping[str, str]) -> dict[str, int]:
    return {
        name: int(given.get(name, parameter.get("Default", "")))
        for name, parameter in declared.items()
        if parameter["Type"] == "Number"
    }


def _reads_from(value: Any, names: Collection[str]) -> bool:
    """Return whether an attribute of one of these is in it: unlike a Ref, it has nothing to stand in for it."""
    if isinstance(value, list):
        return any(_reads_from(item, names) for item in value)
    if not isinstance(value, dict):
        return False
    return any(item[0] in names if key == "Fn::GetAtt" else _reads_from(item, names) for key, item in value.items())


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
