"""Cost of a million tasks and the first quota that limits them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.cost.figures import CORE_MB, MEASURED, MILLION, PRICES, QUOTAS, RETRY_RATE, SHAPES
from deploy.cost.usage import (
    SERVICES,
    billed_s,
    busiest_with_database,
    durable,
    invocations,
    memory_mb,
    ours,
    price,
    quota_needs,
    quota_request,
    single_lambda,
)


def test_a_mail_is_two_transitions_and_their_retries() -> None:
    assert price(ours("notification_email"), "Step Functions") == pytest.approx(25 * 2 * (1 + RETRY_RATE))


def test_a_third_of_a_core_is_billed_three_times_as_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(MEASURED, "send_email", MEASURED["send_email"].model_copy(update={"mean_ms": 100}))

    assert billed_s("send_email", CORE_MB // 3) == pytest.approx(0.3, abs=0.002)
    assert billed_s("send_email", 2 * CORE_MB) == 0.1


def test_lambda_is_billed_by_the_memory_of_the_template() -> None:
    assert memory_mb("send_email") == 512  # Globals
    assert memory_mb("make_thumbnails") == 1_769  # its own
    expected = sum(
        times * (0.2 / MILLION + billed_s(name) * memory_mb(name) / 1_024 * 0.0000133334)
        for name, times in invocations("guard_report").items()
    )

    assert price(ours("guard_report"), "Lambda") == pytest.approx(MILLION * expected)


@pytest.mark.parametrize("workflow", SHAPES)
def test_the_services_together_are_the_whole_price(workflow: str) -> None:
    assert sum(price(ours(workflow), service) for service in SERVICES) == pytest.approx(price(ours(workflow)))


@given(st.sampled_from(sorted(SHAPES)), st.sampled_from(sorted(PRICES)), st.floats(0, 10))
def test_no_price_goes_down_with_more_of_anything(workflow: str, name: str, more: float) -> None:
    usage = ours(workflow)

    assert price(usage) <= price({**usage, name: usage.get(name, 0) + more})


def test_a_workflow_that_waits_for_an_answer_cannot_be_one_invocation() -> None:
    assert single_lambda("incident_escalation") is None
    assert single_lambda("guard_report") is not None


def test_only_a_single_lambda_repeats_mails_after_a_failure() -> None:
    once = single_lambda("guard_report")

    assert once is not None
    assert ours("guard_report")["mail"] == 3
    # Twelve Tasks, each of which fails once in a hundred times.
    assert once["mail"] == pytest.approx(3 * (1 + 1 - 0.99**12))


def test_a_durable_report_counts_start_attempts_maps_and_items() -> None:
    assert durable("guard_report")["durable_operation"] == pytest.approx(1 + 12 * 1.01 + 2 + 5)


def test_transitions_limit_reports_first_at_36_a_second() -> None:
    name, needed = next(iter(quota_needs("guard_report").items()))

    assert name == "StateTransition"
    assert needed == ours("guard_report")["transition"]
    assert 36 * needed < QUOTAS[name].limit < 37 * needed


@pytest.mark.parametrize("workflow", SHAPES)
def test_every_quota_is_compared_and_the_scarcest_comes_first(workflow: str) -> None:
    shares = [needed / QUOTAS[name].limit for name, needed in quota_needs(workflow).items()]

    assert shares == sorted(shares, reverse=True)
    assert set(quota_needs(workflow)) == set(QUOTAS)


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
def test_a_quota_request_is_half_as_much_again_in_two_digits(name: str, needed: float, asked: str) -> None:
    assert quota_request(name, needed) == asked


def test_rendering_mails_needs_the_most_instances_with_a_database() -> None:
    function, instances = busiest_with_database("guard_report")

    assert function == "render_email"
    assert instances == pytest.approx(3 * 1.01 * 0.436)  # three mails, their retries, billed seconds
