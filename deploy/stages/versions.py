"""List or remove old versions: ``python -m deploy.stages.versions --stage dev [--days 14] [--yes]``.

CloudFormation keeps all versions (SAM sets DeletionPolicy Retain), because a failed execution can be redriven for 14
days with the definition of its start. A version is old if it was replaced at least ``--days`` ago, no alias points to
it, and no execution runs or can be redriven with it. Functions are called by alias: a redrive calls the current
version. Do not run it during a deployment.
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

import argparse
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from deploy.stages import STAGES, read_stage

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_stepfunctions import SFNClient

REDRIVABLE_DAYS = 14
# PENDING_REDRIVE applies to children of a Map Run, whose parent is RUNNING.
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html
NEEDING = ("RUNNING", "FAILED", "TIMED_OUT", "ABORTED")


@dataclass(frozen=True)
class Version:
    """One version of a machine or function. ``stays``: why to keep it, or ""."""

    of: str
    number: int
    replaced_at: datetime | None
    stays: str


def machine_versions(client: "SFNClient", machine_arn: str, now: datetime, days: int) -> Iterator[Version]:
    """Yield a state machine's versions, oldest first."""
    pages = _pages(client.list_state_machine_versions, "stateMachineVersions", stateMachineArn=machine_arn)
    made = {int(one["stateMachineVersionArn"].rpartition(":")[2]): one["creationDate"] for one in pages}
    for version in _versions(machine_arn, made, _routed(client, machine_arn), now, days):
        stays = version.stays or _needed_by(client, f"{machine_arn}:{version.number}", now)
        yield replace(version, stays=stays)


def function_versions(client: "LambdaClient", name: str, now: datetime, days: int) -> Iterator[Version]:
    """Yield a function's published versions, oldest first."""
    made = {
        int(one["Version"]): datetime.fromisoformat(one["LastModified"])
        for page in client.get_paginator("list_versions_by_function").paginate(FunctionName=name)
        for one in page["Versions"]
        if one["Version"] != "$LATEST"
    }
    routed: set[str] = set()
    for aliases in client.get_paginator("list_aliases").paginate(FunctionName=name):
        for alias in aliases["Aliases"]:
            routed |= {alias["FunctionVersion"], *alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})}
    yield from _versions(name, made, {int(number) for number in routed}, now, days)


def resources_of(client: "CloudFormationClient", stack_name: str) -> tuple[list[str], list[str]]:
    """Return the ARNs of a stack's state machines and the names of its functions."""
    machines, functions = [], []
    for page in client.get_paginator("list_stack_resources").paginate(StackName=stack_name):
        for resource in page["StackResourceSummaries"]:
            if resource["ResourceType"] == "AWS::StepFunctions::StateMachine":
                machines.append(resource["PhysicalResourceId"])
            elif resource["ResourceType"] == "AWS::Lambda::Function":
                functions.append(resource["PhysicalResourceId"])
    return machines, functions


def _versions(
    of: str, made: Mapping[int, datetime], routed: Collection[int], now: datetime, days: int
) -> Iterator[Version]:
    numbers = sorted(made)
    for number, following in zip_longest(numbers, numbers[1:]):
        replaced_at = None if following is None else made[following]
        if number in routed:
            stays = "an alias points to it"
        elif replaced_at is None:
            stays = "the newest"
        else:
            stays = f"replaced less than {days} days ago" if now - replaced_at < timedelta(days=days) else ""
        yield Version(of, number, replaced_at, stays)


def _routed(client: "SFNClient", machine_arn: str) -> set[int]:
    found = set()
    for alias in _pages(client.list_state_machine_aliases, "stateMachineAliases", stateMachineArn=machine_arn):
        described = client.describe_state_machine_alias(stateMachineAliasArn=alias["stateMachineAliasArn"])
        routes = described["routingConfiguration"]
        found |= {int(route["stateMachineVersionArn"].rpartition(":")[2]) for route in routes}
    return found


def _needed_by(client: "SFNClient", version_arn: str, now: datetime) -> str:
    """Return the execution that needs a version, "" for none."""
    for status in NEEDING:
        for one in _pages(client.list_executions, "executions", stateMachineArn=version_arn, statusFilter=status):
            ended_at = one.get("stopDate")
            if ended_at is None or now - ended_at < timedelta(days=REDRIVABLE_DAYS):
                return f"{one['name']} is {status}"
    return ""


def _pages(operation: Any, result: str, **arguments: Any) -> Iterator[Any]:
    """Yield the results of a list operation for which boto3 has no paginator."""
    token: dict[str, str] = {}
    while True:
        answer = operation(**arguments, **token)
        yield from answer[result]
        if not answer.get("nextToken"):
            return
        token = {"nextToken": answer["nextToken"]}


def _remove(states: "SFNClient", functions: "LambdaClient", version: Version) -> None:
    if version.of.startswith("arn:"):
        states.delete_state_machine_version(stateMachineVersionArn=f"{version.of}:{version.number}")
    else:
        functions.delete_function(FunctionName=version.of, Qualifier=str(version.number))


def _days(text: str) -> int:
    days = int(text)
    if days < REDRIVABLE_DAYS:
        raise argparse.ArgumentTypeError(
            f"executions can be redriven for {REDRIVABLE_DAYS} days: use at least {REDRIVABLE_DAYS}"
        )
    return days


def main(arguments: Sequence[str] | None = None) -> int:
    """List old versions, or remove them with --yes; return 1 for an AWS error."""
    parser = argparse.ArgumentParser(prog="python -m deploy.stages.versions", description="Remove old versions.")
    parser.add_argument("--stage", choices=STAGES, required=True)
    parser.add_argument("--days", type=_days, default=REDRIVABLE_DAYS, help="days since the replacement (14)")
    parser.add_argument("--yes", action="store_true", help="remove the old versions instead of listing them")
    given = parser.parse_args(arguments)
    stage = read_stage(given.stage)
    try:
        _run(stage.stack_name, stage.region, given.days, removes=given.yes)
    except (ClientError, BotoCoreError) as error:
        print(f"{stage.stack_name} in {stage.region}: {error}", file=sys.stderr)
        return 1
    return 0


def _run(stack_name: str, region: str, days: int, *, removes: bool) -> None:
    states, functions = boto3.client("stepfunctions", region), boto3.client("lambda", region)
    now = datetime.now(UTC)
    machines, names = resources_of(boto3.client("cloudformation", region), stack_name)
    versions = [one for arn in machines for one in machine_versions(states, arn, now, days)]
    versions += [one for name in names for one in function_versions(functions, name, now, days)]
    old = [one for one in versions if not one.stays]
    for one in versions:
        if one.stays:
            print(f"stays    {one.of}:{one.number}  {one.stays}")
        elif removes:
            _remove(states, functions, one)
            print(f"removed  {one.of}:{one.number}")
        else:
            print(f"old      {one.of}:{one.number}  replaced {one.replaced_at:%Y-%m-%d}")
    print(f"{len(old)} of {len(versions)} versions {'removed' if removes else 'are old; --yes removes them'}.")


if __name__ == "__main__":
    sys.exit(main())
