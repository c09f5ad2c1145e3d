"""What a million tasks cost: worked out by hand where it can be, and what holds whatever the numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.cost.figures import CORE_MB, MEASURED, MILLION, PRICES, RETRY_RATE, SHAPES
from deploy.cost.usage import SERVICES, billed_s, durable, invocations, memory_mb, ours, price, single_lambda


def test_a_mail_is_two_transitions_and_their_retries_at_25_dollars_a_million() -> None:
    assert price(ours("notification_email"), "Step Functions") == pytest.approx(25 * 2 * (1 + RETRY_RATE))


def test_a_function_with_a_third_of_a_core_is_billed_three_times_what_a_whole_one_took(
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


def test_what_waits_for_an_answer_cannot_be_one_invocation() -> None:
    assert single_lambda("incident_escalation") is None
    assert single_lambda("guard_report") is not None


def test_a_single_lambda_sends_the_mails_of_what_failed_again_and_ours_does_not() -> None:
    once = single_lambda("guard_report")

    assert once is not None
    assert ours("guard_report")["mail"] == 3
    # Twelve Tasks, each of which fails once in a hundred times.
    assert once["mail"] == pytest.approx(3 * (1 + 1 - 0.99**12))


def test_a_durable_report_has_an_operation_for_the_start_each_try_map_and_item() -> None:
    assert durable("guard_report")["durable_operation"] == pytest.approx(1 + 12 * 1.01 + 2 + 5)
