"""Permissions in the template: reasons for wildcards, a role for each function."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.packages.functions import FUNCTIONS
from deploy.template.cloudformation import TEMPLATE_FILE, Template

LINES = TEMPLATE_FILE.read_text(encoding="utf-8").splitlines()
# Everything; everything of a service; everything of one kind of a service.
WILDCARD = re.compile(r"""["']\*["']|arn:[^\s"']*[:/]\*["']""")
# What is one stack's, or one bucket's prefix, is no wildcard, however it ends.
NARROWED = re.compile(r"\$\{(Prefix|Bucket\.Arn|TaskSchedules|Schedules|BucketName)[^\"']*\*[\"']")
LEAST_REASON = 15  # characters


def wildcards(lines: list[str]) -> list[int]:
    """Return the line numbers, from 0, with a wildcard as resource."""
    return [
        number
        for number, line in enumerate(lines)
        if WILDCARD.search(code_of(line)) and not NARROWED.search(line) and "Principal:" not in line
    ]


def code_of(line: str) -> str:
    """Return a line without its comment."""
    return re.sub(r"(^|\s)#.*$", "", line)


def reason_for(number: int, lines: list[str]) -> str:
    """Return the comments in a line, in its statement, and above it."""
    start = number
    while not re.match(r"\s*- (\{ )?(Effect|Sid):", lines[start]):
        start -= 1
    first = start
    while lines[first - 1].lstrip().startswith("#") or re.match(r"\s*(- Version:.*|Statement:)$", lines[first - 1]):
        first -= 1
    comments = [found[1] for line in lines[first : number + 1] if (found := re.search(r"(?:^|\s)#\s*(.*)$", line))]
    return " ".join(comments)


@pytest.mark.parametrize("number", wildcards(LINES), ids=lambda number: f"line-{number + 1}")
def test_a_wildcard_has_a_reason_beside_it(number: int) -> None:
    assert len(reason_for(number, LINES)) >= LEAST_REASON, LINES[number].strip()


def test_a_wildcard_without_a_reason_would_be_seen() -> None:
    text = """
          # A reason that is another statement's.
          - Effect: Allow
            Action: s3:GetObject
            Resource: !Sub "${Bucket.Arn}/media/*"
          - Effect: Allow
            Action: s3:*
            Resource: "*"
          - { Effect: Allow, Action: ses:SendEmail, Resource: !Sub "arn:${AWS::Partition}:ses:${AWS::Region}:1:*" }
          # This one has its own.
          - { Effect: Allow, Action: ses:SendEmail, Resource: ["*"] }
    """.splitlines()

    assert [reason_for(number, text) for number in wildcards(text)] == ["", "", "This one has its own."]


def statements(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every statement with an Effect, wherever in the template."""
    if isinstance(value, dict):
        if "Effect" in value:
            yield value
        value = list(value.values())
    for inner in value if isinstance(value, list) else ():
        yield from statements(inner)


def actions_of(statement: dict[str, Any]) -> list[str]:
    given = statement["Action"]
    return [given] if isinstance(given, str) else given


def test_no_role_is_allowed_all_of_a_service(template: Template) -> None:
    """Except the key's own account, which grants nothing, and Deny statements."""
    allowing = [one for one in statements(template) if one["Effect"] == "Allow" and "Principal" not in one]

    assert allowing
    assert [action for one in allowing for action in actions_of(one) if "*" in action] == []


def test_each_function_and_each_machine_has_a_role_to_itself(translated: Template) -> None:
    kinds = {"AWS::Lambda::Function": "Role", "AWS::StepFunctions::StateMachine": "RoleArn"}
    roles = [
        it["Properties"][kinds[it["Type"]]]["Fn::GetAtt"][0]
        for it in translated["Resources"].values()
        if it["Type"] in kinds
    ]

    assert len(roles) == len(set(roles)) > len(FUNCTIONS)


def policies_of_aws(role: str) -> set[str]:
    """Return the names of those of AWS's own policies that SAM attaches to a role."""
    if role == "CodeDeployServiceRole":
        return {"AWSCodeDeployRoleForLambda"}
    if role.endswith("StateMachineRole"):
        return {"AWSXrayWriteOnlyAccess"}
    if role in {f"{function.resource}Role" for function in FUNCTIONS}:
        in_vpc = role in {f"{function.resource}Role" for function in FUNCTIONS if function.needs_database}
        of_vpc = {"AWSLambdaVPCAccessExecutionRole"} if in_vpc else set()
        return {"AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess"} | of_vpc
    return set()


def test_only_the_aws_policies_that_sam_attaches_are_used(translated: Template) -> None:
    roles = {name: it["Properties"] for name, it in translated["Resources"].items() if it["Type"] == "AWS::IAM::Role"}

    attached = {
        name: set(re.findall(r"policy/(?:service-role/)?(\w+)", str(role.get("ManagedPolicyArns", []))))
        for name, role in roles.items()
    }

    assert attached == {name: policies_of_aws(name) for name in roles}


def test_a_role_is_passed_only_to_the_scheduler(template: Template) -> None:
    passing = [one for one in statements(template) if "iam:PassRole" in actions_of(one)]

    assert len(passing) == 3  # run_task's outbox, Django's tasks for later, operators' pausing
    for one in passing:
        assert one["Resource"] == {"Fn::GetAtt": ["SchedulerRole", "Arn"]}
        assert one["Condition"] == {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
