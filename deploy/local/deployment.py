"""Deploys ``template.yaml`` to the AWS stand-in: translated by SAM's own translator, through CloudFormation."""

import io
import json
import time
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from deploy.cloudformation import Template, point_at_objects, read_template, translate
from deploy.local.adaptation import adapt
from deploy.local.aws import REGION, LocalAws
from deploy.package import ZIP_TIME, Package

STACK_NAME = "qu-workflows"
ARTIFACTS_BUCKET = "qu-workflows-artifacts"
STACK_TIMEOUT_SECONDS = 120
BOOTSTRAP = b"""#!/bin/sh
# Stands in for Lambda's Python runtime on one machine.
exec "$QU_PYTHON" -I -S "$QU_LAMBDA_RUNTIME"
"""


class StackNotDeployed(Exception):  # noqa: N818  errors are named as facts here
    """CloudFormation refused or could not finish the stack; the text holds its reasons."""


@dataclass(frozen=True)
class Deployment:
    """A deployed stack: its outputs by name, and what the template had to give up for it."""

    outputs: Mapping[str, str]
    changes: Sequence[str]


def deploy(
    aws: LocalAws,
    packages: Sequence[Package],
    parameters: Mapping[str, str],
    overlays: Mapping[str, Mapping[str, bytes]],
) -> Deployment:
    """Deploy the stack and return what came of it. Raises StackNotDeployed.

    ``overlays`` adds files to functions' zips, by function name and then by name in the zip.
    """
    aws.s3.create_bucket(Bucket=ARTIFACTS_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    uploads = {
        package.path.name: with_bootstrap(package.path, overlays.get(package.function.name, {})) for package in packages
    }
    with ThreadPoolExecutor(4) as pool:
        list(
            pool.map(
                lambda item: aws.s3.put_object(Bucket=ARTIFACTS_BUCKET, Key=item[0], Body=item[1]), uploads.items()
            )
        )
    packaged = point_at_objects(read_template(), lambda path: _upload(aws, path))
    template, changes = adapt(translate(packaged, parameters, REGION), parameters)
    outputs = _create_stack(aws, template, parameters)
    return Deployment(outputs, changes)


def with_bootstrap(package: Path, overlay: Mapping[str, bytes]) -> bytes:
    """Return a package's zip with the local runtime's bootstrap, and an overlay's files in place of its own."""
    added = {"bootstrap": BOOTSTRAP, **overlay}
    replaced = {name for name in added if name.endswith(".py")}
    made = io.BytesIO()
    with (
        zipfile.ZipFile(package) as source,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target,
    ):
        for entry in source.infolist():
            if not _is_replaced(entry.filename, replaced):
                target.writestr(entry, source.read(entry), compresslevel=1)
        for name, content in added.items():
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.create_system = 3  # Unix: the attributes are a mode
            entry.external_attr = (0o100755 if name == "bootstrap" else 0o100644) << 16
            target.writestr(entry, content)
    return made.getvalue()


def _is_replaced(name: str, replaced: set[str]) -> bool:
    """A module that is replaced takes its bytecode with it."""
    if "__pycache__/" not in name:
        return name in replaced
    folder, _, file = name.rpartition("__pycache__/")
    return f"{folder}{file.partition('.')[0]}.py" in replaced


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
