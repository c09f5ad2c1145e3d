"""Which quota stops a workflow first."""

import pytest

from deploy.cost.figures import QUOTAS, SHAPES
from deploy.cost.quotas import busiest_with_database, needs, request
from deploy.cost.usage import ours


def test_a_report_is_stopped_by_transitions_first_at_36_a_second() -> None:
    name, needed = next(iter(needs("guard_report").items()))

    assert name == "StateTransition"
    assert needed == ours("guard_report")["transition"]
    assert 36 * needed < QUOTAS[name].limit < 37 * needed


@pytest.mark.parametrize("workflow", SHAPES)
def test_what_is_scarcest_comes_first_and_every_quota_is_looked_at(workflow: str) -> None:
    shares = [needed / QUOTAS[name].limit for name, needed in needs(workflow).items()]

    assert shares == sorted(shares, reverse=True)
    assert set(needs(workflow)) == set(QUOTAS)


@pytest.mark.parametrize(
    ("name", "needed", "asked"),
    [
        ("StartExecution", 100, ""),
        ("StartExecution", 101, "StartExecution 160"),
        ("StateTransition", 2_212, "StateTransition 3,400"),
        ("StateTransition", 22_120, "StateTransition 34,000"),
        ("S3 PUT", 14_000, "S3 PUT (more prefixes)"),
    ],
)
def test_what_to_ask_for_is_half_as_much_again_in_two_digits(name: str, needed: float, asked: str) -> None:
    assert request(name, needed) == asked


def test_mails_keep_the_most_instances_with_a_database_busy() -> None:
    function, instances = busiest_with_database("guard_report")

    assert function == "render_email"
    assert instances == pytest.approx(3 * 1.01 * 0.436)  # three mails, their retries, billed seconds
