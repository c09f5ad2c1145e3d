"""Old versions are removed unless an alias, execution or redrive needs them."""

import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from deploy.stages import versions
from deploy.stages.versions import function_versions, machine_versions, main
from deploy.template.check import REGION

NOW = datetime.now(UTC)
ARN = "arn:aws:states:us-east-2:123456789012:stateMachine:qu-security-dev-run_task"
FUNCTION = "qu-security-dev-run_task"


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


class StatesOfATest:
    """A stand-in for Step Functions' versions, which moto lacks: four of them."""

    def __init__(self, *executions: dict[str, Any]) -> None:
        self.executions = executions
        self.deleted: list[str] = []

    def list_state_machine_versions(self, stateMachineArn: str, nextToken: str = "") -> dict[str, Any]:  # noqa: N803
        listed = [
            {"stateMachineVersionArn": f"{stateMachineArn}:{number}", "creationDate": days_ago(age)}
            for number, age in ((4, 0), (3, 20), (2, 50), (1, 100))
        ]
        if nextToken:
            return {"stateMachineVersions": listed[2:]}
        return {"stateMachineVersions": listed[:2], "nextToken": "more"}

    def list_state_machine_aliases(self, stateMachineArn: str) -> dict[str, Any]:  # noqa: N803
        return {"stateMachineAliases": [{"stateMachineAliasArn": f"{stateMachineArn}:live"}]}

    def describe_state_machine_alias(self, stateMachineAliasArn: str) -> dict[str, Any]:  # noqa: N803
        assert stateMachineAliasArn == f"{ARN}:live"
        return {"routingConfiguration": [{"stateMachineVersionArn": f"{ARN}:4", "weight": 100}]}

    def list_executions(self, stateMachineArn: str, statusFilter: str) -> dict[str, Any]:  # noqa: N803
        assert statusFilter != "PENDING_REDRIVE"  # AWS refuses it of a machine
        found = [one for one in self.executions if (one["version"], one["status"]) == (stateMachineArn, statusFilter)]
        return {"executions": found}

    def delete_state_machine_version(self, stateMachineVersionArn: str) -> None:  # noqa: N803
        self.deleted.append(stateMachineVersionArn)


def execution(version: int, status: str, ended_days_ago: float | None = None) -> dict[str, Any]:
    ended = {} if ended_days_ago is None else {"stopDate": days_ago(ended_days_ago)}
    return {"version": f"{ARN}:{version}", "status": status, "name": "a-task", **ended}


def old_machine_versions(*executions: dict[str, Any], days: int = 14) -> list[int]:
    client: Any = StatesOfATest(*executions)
    return [one.number for one in machine_versions(client, ARN, NOW, days) if not one.stays]


def test_an_unneeded_machine_version_replaced_long_ago_is_old() -> None:
    assert old_machine_versions() == [1, 2]  # 3 was replaced today, whenever it was made
    assert old_machine_versions(days=30) == [1]


def test_a_version_that_an_execution_runs_by_stays() -> None:
    assert old_machine_versions(execution(1, "RUNNING")) == [2]


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_a_version_stays_while_an_execution_can_be_redriven(status: str) -> None:
    assert old_machine_versions(execution(1, status, 13.9)) == [2]
    assert old_machine_versions(execution(1, status, 14.1)) == [1, 2]


def test_an_execution_that_succeeded_holds_no_version() -> None:
    assert old_machine_versions(execution(1, "SUCCEEDED", 1)) == [1, 2]


@pytest.fixture
def functions() -> Iterator[Any]:
    """Lambda with three versions, ``live`` at the second and a canary of the third."""
    with mock_aws():
        role = boto3.client("iam", REGION).create_role(RoleName="a-role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        client = boto3.client("lambda", REGION)
        client.create_function(
            FunctionName=FUNCTION, Runtime="python3.13", Role=role, Handler="a.b", Code={"ZipFile": code("0")}
        )
        for text in ("1", "2", "3"):
            client.update_function_code(FunctionName=FUNCTION, ZipFile=code(text))
            client.publish_version(FunctionName=FUNCTION)
        client.create_alias(FunctionName=FUNCTION, Name="live", FunctionVersion="2")
        yield client


def code(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.py", text)
    return buffer.getvalue()


def test_a_function_version_without_alias_replaced_long_ago_is_old(functions: Any) -> None:
    def old(in_days: float) -> list[int]:
        now = datetime.now(UTC) + timedelta(days=in_days)
        return [one.number for one in function_versions(functions, FUNCTION, now, 14) if not one.stays]

    assert old(13) == []
    assert old(15) == [1]  # 2 is live, 3 the newest


def test_what_gets_a_part_of_the_calls_stays_too(functions: Any) -> None:
    functions.update_alias(
        FunctionName=FUNCTION,
        Name="live",
        FunctionVersion="3",
        RoutingConfig={"AdditionalVersionWeights": {"1": 0.1}},
    )
    later = datetime.now(UTC) + timedelta(days=15)

    assert [one.number for one in function_versions(functions, FUNCTION, later, 14) if not one.stays] == [2]


class CloudFormationOfATest:
    def get_paginator(self, operation: str) -> "CloudFormationOfATest":
        assert operation == "list_stack_resources"
        return self

    def paginate(self, StackName: str) -> list[dict[str, Any]]:  # noqa: N803
        assert StackName == "qu-workflows-dev"
        summaries = [
            {"ResourceType": "AWS::StepFunctions::StateMachine", "PhysicalResourceId": ARN},
            {"ResourceType": "AWS::SQS::Queue", "PhysicalResourceId": "a-queue"},
        ]
        return [
            {"StackResourceSummaries": summaries},
            {"StackResourceSummaries": [{"ResourceType": "AWS::Lambda::Function", "PhysicalResourceId": FUNCTION}]},
        ]


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch, functions: Any) -> StatesOfATest:
    states = StatesOfATest()
    clients = {"stepfunctions": states, "lambda": functions, "cloudformation": CloudFormationOfATest()}
    monkeypatch.setattr(boto3, "client", lambda service, _region: clients[service])
    return states


def test_old_versions_are_listed_and_stay_until_yes_is_said(
    states: StatesOfATest, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--stage", "dev"]) == 0

    said = capsys.readouterr().out
    assert states.deleted == []
    assert f"old      {ARN}:1  replaced" in said
    assert f"stays    {ARN}:4  an alias points to it" in said
    assert f"stays    {FUNCTION}:1  replaced less than 14 days ago" in said
    assert "2 of 7 versions are old; --yes removes them." in said


def test_with_yes_they_are_removed_and_the_others_stay(
    states: StatesOfATest, functions: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_days = datetime.now(UTC) + timedelta(days=15)

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]  # of a test
            return in_days.astimezone(tz)

    monkeypatch.setattr(versions, "datetime", Later)

    assert main(["--stage", "dev", "--yes"]) == 0

    assert states.deleted == [f"{ARN}:1", f"{ARN}:2", f"{ARN}:3"]
    left = functions.list_versions_by_function(FunctionName=FUNCTION)["Versions"]
    assert [one["Version"] for one in left] == ["$LATEST", "2", "3"]


def test_fewer_days_than_a_redrive_is_possible_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--stage", "dev", "--days", "13"])

    assert ended.value.code == 2
    assert "can be redriven for 14 days" in capsys.readouterr().err


def test_a_stack_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with mock_aws():
        assert main(["--stage", "dev"]) == 1

    assert "qu-workflows-dev in us-east-2" in capsys.readouterr().err


def test_versions_of_functions_and_machines_outlive_the_deploy_that_replaces_them(translated: dict[str, Any]) -> None:
    kinds = {"AWS::Lambda::Version", "AWS::StepFunctions::StateMachineVersion"}
    found = [one for one in translated["Resources"].values() if one["Type"] in kinds]

    assert {one["Type"] for one in found} == kinds
    assert all(one["DeletionPolicy"] == "Retain" for one in found)
    assert all(one["UpdateReplacePolicy"] == "Retain" for one in found)
