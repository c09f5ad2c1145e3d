"""Each function under its own role, which has exactly the needed permissions.

A run that is refused anything fails; a right that no run needs is named: a statement, one of its actions, one of its
resources, or one of a condition's values.
"""

from itertools import product

import pytest

from tests.deploy.rights.doing import Run, asked_by, needed_by_none
from tests.deploy.rights.function_runs import FUNCTION_NAMES, RUNS
from tests.deploy.rights.policies import Ask, is_allowed
from tests.deploy.rights.stack import Stack, policies_of, role_of, running_as, statements_of

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("rights")]  # one stack, made once
AWS = "arn:aws:iam::aws:policy/"
PREFIXES = ("emails", "media", "payloads", "purged", "thumbnails")


def asked_by_all(stack: Stack, function: str) -> list[Ask]:
    """Return what all runs of a function ask of IAM under its role."""
    role = statements_of(role_of(function))
    return [ask for run in RUNS.for_(function) for ask in asked_by(stack, run, function, role, running_as)]


@pytest.mark.parametrize(
    ("function", "run"),
    [pytest.param(name, run, id=f"{name}-{run.name}") for name in FUNCTION_NAMES for run in RUNS.for_(name)],
)
def test_a_function_does_its_work_under_its_own_role(stack: Stack, function: str, run: Run) -> None:
    asked_by(stack, run, function, statements_of(role_of(function)), running_as)


@pytest.mark.parametrize("function", FUNCTION_NAMES)
def test_a_function_needs_each_right_that_its_own_policies_give(stack: Stack, function: str) -> None:
    policies = policies_of(role_of(function))
    own = tuple(one for name, statements in policies.items() if not name.startswith(AWS) for one in statements)
    of_aws = tuple(one for name, statements in policies.items() if name.startswith(AWS) for one in statements)

    assert own
    assert needed_by_none(asked_by_all(stack, function), own, of_aws) == []


@pytest.mark.parametrize("function", FUNCTION_NAMES)
def test_a_function_needs_each_policy_of_aws_that_sam_attaches(stack: Stack, function: str) -> None:
    """SAM attaches AWSLambdaBasicExecutionRole to every role; the VPC policy contains it."""
    policies = policies_of(role_of(function))
    has_vpc = any(name.endswith("AWSLambdaVPCAccessExecutionRole") for name in policies)

    for taken in policies:
        rest = [one for name, statements in policies.items() if name != taken for one in statements]
        is_part_of_another = has_vpc and taken.endswith("AWSLambdaBasicExecutionRole")
        if taken.startswith(AWS) and not is_part_of_another:
            assert not all(is_allowed(rest, ask) for ask in asked_by_all(stack, function)), taken


@pytest.mark.parametrize("function", FUNCTION_NAMES)
def test_a_function_reaches_only_the_parts_of_the_bucket_in_use(stack: Stack, function: str) -> None:
    """Each kind of object is tried, to detect a wildcard that is too wide."""
    objects = {(f"s3:{verb}Object", prefix) for verb, prefix in product(("Get", "Put", "Delete"), PREFIXES)}
    role, bucket = statements_of(role_of(function)), f"arn:aws:s3:::{stack.bucket}/"

    used = {(ask.action, ask.resource.removeprefix(bucket).partition("/")[0]) for ask in asked_by_all(stack, function)}

    assert {one for one in objects if is_allowed(role, Ask(one[0], f"{bucket}{one[1]}/any"))} == objects & used
