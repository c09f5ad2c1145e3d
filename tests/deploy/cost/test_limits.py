"""Which quota stops a workflow first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.cost.figures import QUOTAS, SHAPES
from deploy.cost.limits import (
    Demand,
    busiest_with_database,
    concurrency_needed,
    connections_needed,
    demands,
    settings_needed,
)
from deploy.cost.usage import ours, settings
from deploy.stages import Stage
from deploy.template.cloudformation import Template
from deploy.template.connections import ACCOUNT_CONCURRENCY, contradictions, instances_per_function


def test_what_is_scarcest_comes_first() -> None:
    shares = [demand.share for demand in demands("guard_report", 100)]

    assert shares == sorted(shares, reverse=True)
    assert all(shares)


def test_a_report_is_stopped_by_transitions_first_at_36_a_second_in_us_east_2() -> None:
    first = demands("guard_report", 36)[0]

    assert first.name == "StateTransition"
    assert first.needed == pytest.approx(36 * ours("guard_report")["transition"])
    assert first.share < 1 < demands("guard_report", 37)[0].share


def test_main_regions_have_other_quotas() -> None:
    (start,) = [one for one in demands("run_task", 10, in_main_region=True) if one.name == "StartExecution"]

    assert start.limit == 300 == QUOTAS["StartExecution"].main


@pytest.mark.parametrize(
    ("needed", "asked"),
    [(10, 100), (66, 100), (67, 110), (2_212, 3_400), (22_120, 34_000)],
)
def test_what_to_ask_for_is_half_as_much_again_in_two_digits(needed: float, asked: float) -> None:
    assert Demand("x", "y", needed, limit=100).to_ask == asked


@given(st.sampled_from(sorted(SHAPES)), st.floats(0.1, 5_000), st.floats(0, 5_000))
def test_more_tasks_never_need_less(workflow: str, rate: float, more: float) -> None:
    few = {one.name: one.needed for one in (*demands(workflow, rate), *settings_needed(workflow, rate))}
    many = {one.name: one.needed for one in (*demands(workflow, rate + more), *settings_needed(workflow, rate + more))}

    assert few.keys() == many.keys()
    assert all(few[name] <= many[name] for name in few)


@given(st.floats(1, 1e6), st.floats(1, 1e6))
def test_what_is_asked_for_is_enough(needed: float, limit: float) -> None:
    asked = Demand("x", "y", needed, limit).to_ask

    assert asked >= needed
    assert asked >= limit


def test_the_connections_that_are_named_carry_it_and_the_next_fewer_do_not() -> None:
    _, at_work = busiest_with_database("guard_report", 10)

    assert connections_needed("guard_report", 10) == 800
    assert instances_per_function(400) < at_work <= instances_per_function(800)
    assert connections_needed("guard_report", 1_000) is None


def test_what_an_account_can_not_reserve_as_it_comes_is_said_to_need_its_concurrency_first(template: Template) -> None:
    for connections in settings().max_connections_allowed:
        stage = Stage("any", "any", "us-east-2", {"DatabaseMaxConnections": str(connections)})
        first = concurrency_needed(connections)

        assert (first is not None) == any(contradictions(template, [stage])), connections
        assert first is None or first > ACCOUNT_CONCURRENCY

    assert concurrency_needed(5_000) == 9 * instances_per_function(5_000) + 2 + 100
