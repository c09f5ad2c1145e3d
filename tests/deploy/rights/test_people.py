"""Django under BackendPolicy and operators under OperatorPolicy: each has what it needs, and nothing else."""

import pytest

from tests.deploy.rights.doing import Run, asked_by, needed_by_none
from tests.deploy.rights.people_runs import POLICIES, RUNS
from tests.deploy.rights.policies import Ask, Statement, is_allowed
from tests.deploy.rights.stack import Stack, managed_policy, running_django

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("rights")]  # one stack, made once
EVERYTHING = Statement("Allow", ("*",), ("*",), {})


@pytest.mark.parametrize(
    ("person", "run"),
    [pytest.param(person, run, id=f"{person}-{run.name}") for person in POLICIES for run in RUNS.for_(person)],
)
def test_each_does_its_work_under_its_own_policy_alone(stack: Stack, person: str, run: Run) -> None:
    asked_by(stack, run, person, managed_policy(POLICIES[person]), running_django)


@pytest.mark.parametrize("person", POLICIES)
def test_each_right_of_a_policy_is_needed(stack: Stack, person: str) -> None:
    whole = managed_policy(POLICIES[person])
    asked = [ask for run in RUNS.for_(person) for ask in asked_by(stack, run, person, whole, running_django)]

    assert needed_by_none(asked, tuple(one for one in whole if one.effect == "Allow")) == []


def _denied() -> list[str]:
    return [action for one in managed_policy("OperatorPolicy") if one.effect == "Deny" for action in one.actions]


@pytest.mark.parametrize("action", _denied())
def test_whatever_else_operators_may_do_nothing_of_production_is_deleted(action: str) -> None:
    policy = managed_policy("OperatorPolicy")

    tagged, untagged = (Ask(action, "arn:any", {"aws:ResourceTag/stage": stage}) for stage in ("production", "dev"))

    assert not is_allowed((EVERYTHING, *policy), tagged)
    assert is_allowed((EVERYTHING, *policy), untagged)
    assert is_allowed((EVERYTHING, *(one for one in policy if one.effect == "Allow")), tagged)


def test_a_policy_allows_nothing_on_every_resource_but_ending_tasks() -> None:
    """AWS accepts only "*" for the actions that end a task by token."""
    wide = {action for name in POLICIES.values() for one in managed_policy(name) for action in one.actions
            if one.effect == "Allow" and "*" in one.resources}  # fmt: skip

    assert wide == {"states:SendTaskSuccess", "states:SendTaskHeartbeat"}
