"""What a million tasks cost: worked by hand where it can be, and what holds whatever the numbers."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.cost import figures
from deploy.cost.estimate import (
    by_service,
    price,
    standard_usd,
    tasks_a_day_to_switch,
    variants,
    worth_switching,
)
from deploy.cost.figures import MEASURED, MILLION, PRICES, QUOTAS, SHAPES
from deploy.cost.usage import billed_s, durable, invocations, ours, settings, single_lambda
from deploy.packages.functions import FUNCTIONS_BY_NAME
from lambdas.make_thumbnails.thumbnail_sizes import read_forms
from workflows.project import PROJECT


def test_a_mail_is_two_transitions_and_their_retries_at_25_dollars_a_million() -> None:
    assert standard_usd("notification_email") == pytest.approx(25 * 2 * (1 + figures.RETRY_RATE))


def test_a_function_with_a_third_of_a_core_is_billed_three_times_what_a_whole_one_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(MEASURED, "send_email", dataclasses.replace(MEASURED["send_email"], mean_ms=100))

    assert billed_s("send_email", figures.CPU_SHARE_MB // 3) == pytest.approx(0.3, abs=0.002)
    assert billed_s("send_email", 2 * figures.CPU_SHARE_MB) == 0.1


def test_lambda_is_billed_by_the_template_s_memory() -> None:
    assert settings().memory_mb["send_email"] == 512  # Globals
    assert settings().memory_mb["make_thumbnails"] == 1_769  # its own
    expected = sum(
        times * (PRICES["lambda_request"].each + billed_s(name) * settings().memory_mb[name] / 1_024 * 0.0000133334)
        for name, times in invocations("guard_report").items()
    )

    assert by_service(ours("guard_report"))["Lambda"] == pytest.approx(MILLION * expected)


def test_every_workflow_has_a_shape_and_every_function_its_measure() -> None:
    assert set(SHAPES) == set(PROJECT.workflows)
    assert set(MEASURED) == set(FUNCTIONS_BY_NAME)


def test_every_price_and_quota_names_aws_s_page_and_when_it_was_read() -> None:
    for name, one in PRICES.items():
        assert one.source.startswith("https://aws.amazon.com/"), name
        assert "20" in one.read, name
        assert one.usd >= 0 < one.per, name
    for name, quota in QUOTAS.items():
        assert quota.source.startswith("https://docs.aws.amazon.com/"), name
        assert 0 < quota.other <= quota.main, name


def test_a_measure_without_samples_names_the_function_it_stands_in_for() -> None:
    for name, measured in MEASURED.items():
        assert bool(measured.samples) != bool(measured.stand_in), name
        assert measured.p50_ms <= measured.p95_ms, name
        if measured.stand_in:
            assert MEASURED[measured.stand_in].mean_ms == measured.mean_ms, name


def test_a_picture_has_as_many_thumbnails_as_the_function_makes() -> None:
    assert len(read_forms()) == figures.THUMBNAILS_PER_FILE


@pytest.mark.parametrize("workflow", SHAPES)
def test_the_services_together_are_the_whole_price(workflow: str) -> None:
    for usage in (ours(workflow), single_lambda(workflow), durable(workflow)):
        if usage is not None:
            assert sum(by_service(usage).values()) == pytest.approx(MILLION * price(usage))


@given(st.sampled_from(sorted(SHAPES)), st.sampled_from(sorted(PRICES)), st.floats(0, 10))
def test_no_price_goes_down_with_more_of_anything(workflow: str, name: str, more: float) -> None:
    usage = ours(workflow)

    assert price(usage) <= price(usage | {name: usage.get(name, 0) + more})


def test_what_waits_for_an_answer_can_not_be_one_invocation() -> None:
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


def test_only_maps_whose_items_end_in_time_can_be_express() -> None:
    names = {variant.name for variant in variants("guard_report")}

    assert "Standard, Express children in Notify People" in names  # files may take 360 s


@pytest.mark.parametrize(
    ("workflow", "reason"),
    [
        ("incident_escalation", "no callbacks"),
        ("run_task", "Express ends after 300 s"),
        ("notification_email", "tells EventBridge nothing"),
    ],
)
def test_no_workflow_of_ours_can_be_express_as_a_whole(workflow: str, reason: str) -> None:
    (express,) = [variant for variant in variants(workflow) if variant.name == "Express"]

    assert reason in express.refused
    assert worth_switching(workflow) is None or worth_switching(workflow)[0].name != "Express"  # type: ignore[index]


@pytest.mark.parametrize("workflow", SHAPES)
def test_a_variant_saves_what_it_has_to_at_the_tasks_a_day_it_names(workflow: str) -> None:
    for variant in variants(workflow):
        tasks = tasks_a_day_to_switch(workflow, variant)
        if tasks != float("inf"):
            assert tasks * 30 / MILLION * (standard_usd(workflow) - variant.usd) == pytest.approx(500)
