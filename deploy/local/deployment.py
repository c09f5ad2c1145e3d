"""Deploys ``template.yaml`` to the AWS stand-in: translated by SAM's own translator, through CloudFormation."""

import io
import json
import shlex
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.cloudformation import Template, point_at_objects, read_template, translate
from deploy.functions import FUNCTIONS_BY_NAME
from deploy.local.adaptation import adapt
from deploy.local.aws import REGION, LocalAws
from deploy.package import ZIP_TIME, Package, unpack

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


class StackNotDeployed(Exception):
    """CloudFormation refused or could not finish the stack; the text holds its reasons."""


@dataclass(frozen=True)
class Overlay:
    """Modules that one function gets beside its own, and the handler that is called instead of its own."""

    handler: str
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class Deployment:
    """A deployed stack: its outputs by name, and what the template had to give up for it."""

    outputs: Mapping[str, str]
    changes: Sequence[str]


def deploy(
    aws: LocalAws,
    packages: Sequence[Package],
    parameters: Mapping[str, str],
    overlays: Mapping[str, Overlay],
) -> Deployment:
    """Deploy the stack and return what came of it. Raises StackNotDeployed. ``overlays`` are by function name."""
    aws.s3.create_bucket(Bucket=ARTIFACTS_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    for package in packages:
        code = local_zip(unpack(package), overlays.get(package.function.name))
        aws.s3.put_object(Bucket=ARTIFACTS_BUCKET, Key=package.path.name, Body=code)
    packaged = point_at_objects(read_template(), lambda path: _upload(aws, path))
    template, changes = adapt(translate(packaged, parameters, REGION), parameters)
    for name, overlay in overlays.items():
        template["Resources"][FUNCTIONS_BY_NAME[name].resource]["Properties"]["Handler"] = overlay.handler
    outputs = _create_stack(aws, template, parameters)
    return Deployment(outputs, changes)


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


def _upload(aws: LocalAws, path: Path) -> str:
    if path.suffix == ".json":
        aws.s3.put_object(Bucket=ARTIFACTS_BUCKET, Key=path.name, Body=path.read_bytes())
    return f"s3://{ARTIFACTS_BUCKET}/{path.name}"


def _create_stack(aws: LocalAws, template: Template, parameters: Mapping[str, str]) -> dict[str, str]:
    key = "template.json"
    aws.s3.put_object(Bucket=ARTIFACTS_BUCKET, Key=key, Body=json.dumps(template).encode())
    aws.cloudformation.create_stack(
        StackName=STACK_NAME,
        TemplateURL=f"{aws.endpoint}/{ARTIFACTS_BUCKET}/{key}",
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    deadline = time.monotonic() + STACK_TIMEOUT_SECONDS
    while True:
        stack = aws.cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
        if stack["StackStatus"] == "CREATE_COMPLETE":
            return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        if stack["StackStatus"] != "CREATE_IN_PROGRESS" or time.monotonic() > deadline:
            raise StackNotDeployed(f"{STACK_NAME} is {stack['StackStatus']}. {_reasons(aws)}")
        time.sleep(0.1)


def _reasons(aws: LocalAws) -> str:
    events = aws.cloudformation.describe_stack_events(StackName=STACK_NAME)["StackEvents"]
    return " ".join(
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
        for event in events
        if event.get("ResourceStatus", "").endswith("FAILED")
    )
