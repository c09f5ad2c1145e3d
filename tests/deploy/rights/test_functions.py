"""Each function under its own role: it does its work, and does it no more when any one thing is taken away.

So a role has what its function uses, and nothing that it does not use. "Any one thing" is a whole statement, one of a
statement's actions, one of its resources, one of a condition's values; all but whole statements are among the slow
tests.
"""

from collections.abc import Iterator

import pytest

from tests.deploy.rights.doing import Role, assert_it_works, assert_somebody_minds
from tests.deploy.rights.function_runs import FUNCTION_NAMES, Run, runs_of
from tests.deploy.rights.stack import Stack, less_by_one, policies_of, role_of, running_as, statements_of

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("rights")]  # one stack, made once
AWS = "arn:aws:iam::aws:policy/"


@pytest.mark.parametrize(
    ("function", "run"),
    [pytest.param(name, run, id=f"{name}-{run.name}") for name in FUNCTION_NAMES for run in runs_of(name)],
)
def test_a_function_does_its_work_under_its_own_role(stack: Stack, function: str, run: Run) -> None:
    assert_it_works(stack, run, function, statements_of(role_of(function)), running_as)


def _taken_away() -> Iterator[object]:
    """Yield what is left of each function's role when one thing is taken from one of its own policies."""
    for function in FUNCTION_NAMES:
        policies = policies_of(role_of(function))
        own = [one for name, statements in policies.items() if not name.startswith(AWS) for one in statements]
        of_aws = [one for name, statements in policies.items() if name.startswith(AWS) for one in statements]
        for taken, rest, is_statement in less_by_one(own):
            marks = () if is_statement else pytest.mark.slow
            yield pytest.param(function, (*rest, *of_aws), id=f"{function}-without-{taken}", marks=marks)


@pytest.mark.parametrize(("function", "rest"), [*_taken_away()])
def test_a_function_fails_with_any_one_thing_taken_away(stack: Stack, function: str, rest: Role) -> None:
    assert_somebody_minds(stack, runs_of(function), function, statements_of(role_of(function)), rest, running_as)


def _without_one_of_aws() -> Iterator[object]:
    """Yield what is left of each function's role without one of the policies that SAM attaches.

    SAM gives every role AWSLambdaBasicExecutionRole, of which the one for a VPC has all, too.
    """
    for function in FUNCTION_NAMES:
        policies = policies_of(role_of(function))
        has_vpc = any(name.endswith("AWSLambdaVPCAccessExecutionRole") for name in policies)
        for taken in policies:
            if taken.startswith(AWS) and not (has_vpc and taken.endswith("AWSLambdaBasicExecutionRole")):
                rest = tuple(one for name, statements in policies.items() if name != taken for one in statements)
                yield pytest.param(function, rest, id=f"{function}-without-{taken.rpartition('/')[2]}")


@pytest.mark.parametrize(("function", "rest"), [*_without_one_of_aws()])
def test_lambda_itself_fails_without_one_of_the_policies_of_aws(stack: Stack, function: str, rest: Role) -> None:
    assert_somebody_minds(stack, runs_of(function), function, statements_of(role_of(function)), rest, running_as)
