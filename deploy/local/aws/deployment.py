"""Deploys ``template.yaml`` to the AWS stand-in: translated by SAM's own translator, through CloudFormation.

As ``sam deploy`` does, what is uploaded is named by its content: CloudFormation sees new code and a new definition
by their new names alone.
"""

import hashlib
import io
import json
import shlex
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy import DeployError
from deploy.local.aws.adaptation import adapt
from deploy.local.aws.stand_in import REGION, LocalAws
from deploy.packages.build import ZIP_TIME, Package, unpack
from deploy.packages.functions import FUNCTIONS_BY_NAME
from deploy.template.cloudformation import point_at_objects, read_template, translate

STACK_NAME = "qu-workflows"
ARTIFACTS_BUCKET = "qu-workflows-artifacts"
STACK_TIMEOUT_SECONDS = 120
# What a function's zip on this machine holds. Its package lies unpacked beside its zip: unpacking all of
# them anew would make each start of the stack wait for ten seconds.
BOOTSTRAP = """#!/bin/sh
# Stands in for Lambda's Python runtime on one machine.
export QU_OVERLAY="$LAMBDA_TASK_ROOT"
export LAMBDA_TASK_ROOT={task_root}
exec "$QU_PYTHON" -I -S "$QU_LAMBDA_RUNTIME"
"""


class StackNotDeployed(DeployError):
    """CloudFormation refused or could not finish the stack; the text holds its reasons."""


@dataclass(frozen=True)
class Overlay:
    """Modules that one function gets beside its own, and the handler that is called instead of its own."""

    handler: str
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class Release:
    """What is deployed.

    ``overlays`` are by function name; ``definitions`` by workflow, instead of what is rendered into ``state_machines``.
    """

    packages: Sequence[Package]
    parameters: Mapping[str, str]
    overlays: Mapping[str, Overlay] = field(default_factory=dict)
    definitions: Mapping[str, bytes] = field(default_factory=dict)


def deploy(aws: LocalAws, release: Release) -> tuple[Mapping[str, str], Sequence[str]]:
    """Make the stack; return its outputs, and what the template had to give up for it. Raises StackNotDeployed."""
    aws.s3.create_bucket(Bucket=ARTIFACTS_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    request, changes = request_of(aws, release)
    aws.cloudformation.create_stack(**request)
    return outputs_once(aws, "CREATE_COMPLETE"), changes


def local_zip(task_root: Path, overlay: Overlay | None = None) -> bytes:
    """Return the zip that stands for a package on this machine: a bootstrap that runs it where it lies unpacked."""
    bootstrap = BOOTSTRAP.format(task_root=shlex.quote(str(task_root))).encode()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in {"bootstrap": bootstrap, **(overlay.files if overlay else {})}.items():
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.external_attr = (0o100755 if name == "bootstrap" else 0o100644) << 16
            archive.writestr(entry, content)
    return made.getvalue()


def request_of(aws: LocalAws, release: Release) -> tuple[dict[str, Any], list[str]]:
    """Upload a release; return what CreateStack and UpdateStack take, and what was changed for the stand-in."""
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
    """Return the stack's outputs once it has the wanted status. Raises StackNotDeployed if it ends otherwise."""
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
