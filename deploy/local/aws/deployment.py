"""Deploy ``template.yaml`` to ministack through CloudFormation, translated by SAM's own translator.

Uploads are named by their content, as by ``sam deploy``: CloudFormation detects new code by its new name. Each change
of the template that ministack needs is listed.
"""

import copy
import hashlib
import io
import json
import shlex
import time
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy import DeployError
from deploy.local.aws.stand_in import REGION, LocalAws
from deploy.packages.build import ZIP_TIME, Package, unpack
from deploy.packages.functions import FUNCTIONS_BY_NAME
from deploy.template.cloudformation import Template, point_at_objects, read_template, translate

STACK_NAME = "qu-workflows"
ARTIFACTS_BUCKET = "qu-workflows-artifacts"
STACK_TIMEOUT_SECONDS = 120
# A function's zip contains only this: its package is already unpacked, which saves ten seconds at each start.
BOOTSTRAP = """#!/bin/sh
# Stands in for Lambda's Python runtime on one machine.
export QU_OVERLAY="$LAMBDA_TASK_ROOT"
export LAMBDA_TASK_ROOT={task_root}
exec "$QU_PYTHON" -I -S "$QU_LAMBDA_RUNTIME"
"""

# ministack 1.5.33 refuses a stack with these types, even under a false condition.
UNKNOWN_TYPES = frozenset(
    {
        "AWS::CodeDeploy::Application",
        "AWS::CodeDeploy::DeploymentGroup",
        "AWS::RDS::DBProxy",
        "AWS::RDS::DBProxyTargetGroup",
        "AWS::StepFunctions::StateMachineAlias",  # executions run on the machine itself
        "AWS::StepFunctions::StateMachineVersion",
    }
)
# ministack's Python runtime does not report a function's error, and starts a new process after each failure. The
# Runtime API of provided.* functions has neither problem.
LOCAL_RUNTIME = "provided.al2023"


class StackNotDeployed(DeployError):
    """CloudFormation failed to create or update the stack; the text has its reasons."""


@dataclass(frozen=True)
class Overlay:
    """Additional modules for one function, and a handler that replaces its own."""

    handler: str
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class Release:
    """Packages, parameters, overlays by function name, and definitions that replace rendered ones by workflow."""

    packages: Sequence[Package]
    parameters: Mapping[str, str]
    overlays: Mapping[str, Overlay] = field(default_factory=dict)
    definitions: Mapping[str, bytes] = field(default_factory=dict)


def deploy(aws: LocalAws, release: Release) -> tuple[Mapping[str, str], Sequence[str]]:
    """Create the stack; return its outputs and the template changes for ministack. Raises StackNotDeployed."""
    aws.s3.create_bucket(Bucket=ARTIFACTS_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    request, changes = request_of(aws, release)
    aws.cloudformation.create_stack(**request)
    return outputs_once(aws, "CREATE_COMPLETE"), changes


def local_zip(task_root: Path, overlay: Overlay | None = None) -> bytes:
    """Return a zip with a bootstrap that runs the package unpacked in ``task_root``."""
    bootstrap = BOOTSTRAP.format(task_root=shlex.quote(str(task_root))).encode()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in {"bootstrap": bootstrap, **(overlay.files if overlay else {})}.items():
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.external_attr = (0o100755 if name == "bootstrap" else 0o100644) << 16
            archive.writestr(entry, content)
    return made.getvalue()


def request_of(aws: LocalAws, release: Release) -> tuple[dict[str, Any], list[str]]:
    """Upload a release; return the request of CreateStack or UpdateStack, and the template changes."""
    packages = {package.function.name: package for package in release.packages}

    def upload(path: Path) -> str:
        name = path.name.partition(".")[0]
        if path.suffix == ".zip":
            return _put(aws, path.name, local_zip(unpack(packages[name]), release.overlays.get(name)))
        return _put(aws, path.name, release.definitions.get(name) or path.read_bytes())

    packaged = point_at_objects(read_template(), upload)
    template, changes = adapt(translate(packaged, release.parameters, REGION), release.parameters)
    for name, overlay in release.overlays.items():
        template["Resources"][FUNCTIONS_BY_NAME[name].resource]["Properties"]["Handler"] = overlay.handler
    key = _put(aws, "template.json", json.dumps(template).encode()).removeprefix("s3://")
    parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in release.parameters.items()]
    request = {"StackName": STACK_NAME, "TemplateURL": f"{aws.endpoint}/{key}", "Parameters": parameters}
    return request | {"Capabilities": ["CAPABILITY_IAM"]}, changes


def _put(aws: LocalAws, name: str, content: bytes) -> str:
    stem, dot, suffix = name.partition(".")
    key = f"{stem}-{hashlib.sha256(content).hexdigest()[:16]}{dot}{suffix}"
    aws.s3.put_object(Bucket=ARTIFACTS_BUCKET, Key=key, Body=content)
    return f"s3://{ARTIFACTS_BUCKET}/{key}"


def outputs_once(aws: LocalAws, wanted: str) -> dict[str, str]:
    """Return the stack's outputs once it has the wanted status. Raises StackNotDeployed for another one."""
    deadline = time.monotonic() + STACK_TIMEOUT_SECONDS
    while True:
        stack = aws.cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
        if stack["StackStatus"] == wanted:
            return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        if not stack["StackStatus"].endswith("_IN_PROGRESS") or time.monotonic() > deadline:
            raise StackNotDeployed(f"{STACK_NAME} is {stack['StackStatus']}. {_reasons(aws)}")
        time.sleep(0.1)


def _reasons(aws: LocalAws) -> str:
    events = aws.cloudformation.describe_stack_events(StackName=STACK_NAME)["StackEvents"]
    return " ".join(
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
        for event in events
        if event.get("ResourceStatus", "").endswith("FAILED")
    )


def adapt(template: Template, parameters: Mapping[str, str]) -> tuple[Template, list[str]]:
    """Return a translated template that ministack accepts, and a line for each change."""
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
            resource.pop("UpdatePolicy", None)  # it refers to the deployment group
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Runtime"] = LOCAL_RUNTIME
    return adapted, [
        *(f"{resource['Type']} {name} is left out" for name, resource in dropped.items()),
        f"functions run on {LOCAL_RUNTIME}, with this Python as bootstrap",
        f"numbers inserted, since a Ref to them would return a string: {', '.join(numbers)}",
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
    """Return whether a value has a Fn::GetAtt of one of these resources."""
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
    if value.keys() == {"Variables"}:  # of a function's environment: strings, as from a reference
        instead = {name: other for name, other in instead.items() if not isinstance(other, int)}
    return {key: _replace_references(item, instead) for key, item in value.items()}
