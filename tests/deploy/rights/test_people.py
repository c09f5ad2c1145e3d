"""Django under BackendPolicy and operators under OperatorPolicy: each does its work, and not with any less."""

from collections.abc import Iterator

import pytest

from tests.deploy.rights.doing import Role, assert_it_works, assert_somebody_minds
from tests.deploy.rights.function_runs import Run
from tests.deploy.rights.people_runs import POLICIES, runs_of
from tests.deploy.rights.policies import Ask, Statement, is_allowed
from tests.deploy.rights.stack import Stack, less_by_one, managed_policy, running_django

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("rights")]  # one stack, made once
EVERYTHING = Statement("Allow", ("*",), ("*",), {})


@pytest.mark.parametrize(
    ("person", "run"),
    [pytest.param(person, run, id=f"{person}-{run.name}") for person in POLICIES for run in runs_of(person)],
)
def test_each_does_its_work_under_its_own_policy_alone(stack: Stack, person: str, run: Run) -> None:
    assert_it_works(stack, run, person, managed_policy(POLICIES[person]), running_django)


def _taken_away() -> Iterator[object]:
    for person, policy in POLICIES.items():
        whole = managed_policy(policy)
        denying = [one for one in whole if one.effect == "Deny"]
        for taken, rest, is_statement in less_by_one([one for one in whole if one.effect == "Allow"]):
            marks = () if is_statement else pytest.mark.slow
            yield pytest.param(person, (*rest, *denying), id=f"{person}-without-{taken}", marks=marks)


@pytest.mark.parametrize(("person", "rest"), [*_taken_away()])
def test_something_is_not_done_with_any_one_thing_taken_away(stack: Stack, person: str, rest: Role) -> None:
    assert_somebody_minds(stack, runs_of(person), person, managed_policy(POLICIES[person]), rest, running_django)


def _denied() -> list[str]:
    return [action for one in managed_policy("OperatorPolicy") if one.effect == "Deny" for action in one.actions]


@pytest.mark.parametrize("action", _denied())
def test_whatever_else_operators_may_do_nothing_of_production_is_deleted(action: str) -> None:
    policy = managed_policy("OperatorPolicy")

    tagged, untagged = (Ask(action, "arn:any", {"aws:ResourceTag/stage": stage}) for stage in ("production", "dev"))

    assert not is_allowed((EVERYTHING, *policy), tagged)
    assert is_allowed((EVERYTHING, *policy), untagged)
    assert is_allowed((EVERYTHING, *(one for one in policy if one.effect == "Allow")), tagged)
