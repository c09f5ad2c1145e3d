"""Transitions counted from a definition: worked by hand, run by the engine, and general rules by Hypothesis."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_engine.in_process import run
from deploy.cost.figures import SHAPES
from deploy.cost.transitions import read_definition, visits
from deploy.packages.functions import FUNCTIONS_BY_NAME
from workflows.contracts.guard_report import FileFacts, ThumbnailSet

TASK = {"Type": "Task", "Parameters": {"FunctionName": "${SendEmailFunctionArn}"}}
THREE_STATES: dict[str, Any] = {
    "StartAt": "Load",
    "States": {
        "Load": {"Type": "Task", "Parameters": {"FunctionName": "${LoadReportFunctionArn}"}, "Next": "Each"},
        "Each": {
            "Type": "Map",
            "ItemProcessor": {
                "StartAt": "Send",
                "States": {"Send": {**TASK, "Next": "Done"}, "Done": {"Type": "Pass", "End": True}},
            },
            "Next": "Sum",
        },
        "Sum": {"Type": "Pass", "End": True},
    },
}
LOOP: dict[str, Any] = {
    "StartAt": "Ask",
    "States": {"Ask": {**TASK, "Next": "Done"}, "Done": {"Type": "Succeed"}},
}


def test_a_map_of_four_items_counts_itself_and_the_states_of_each_item() -> None:
    seen = visits(THREE_STATES, {"Each": 4})

    assert seen.states == {"Load": 1, "Each": 1, "Send": 4, "Done": 4, "Sum": 1}
    assert seen.transitions(retry_rate=0) == 11
    assert seen.functions == {"load_report": 1, "send_email": 4}
    assert seen.map_items == 4


def test_each_retry_is_a_transition_and_only_tasks_are_tried_again() -> None:
    assert visits(THREE_STATES, {"Each": 4}).transitions(retry_rate=0.1) == pytest.approx(11 + 5 * 0.1)


def test_a_loop_that_comes_round_half_of_the_time_is_entered_twice() -> None:
    seen = visits(LOOP, {}, {"Ask": {"Ask": 0.5, "Done": 0.5}})

    assert seen.states["Ask"] == pytest.approx(2)
    assert seen.states["Done"] == pytest.approx(1)


def test_both_branches_of_a_parallel_are_entered() -> None:
    branch = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    other = {"StartAt": "B", "States": {"B": {"Type": "Pass", "End": True}}}
    machine = {"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": [branch, other], "End": True}}}

    assert visits(machine, {}).transitions(retry_rate=0) == 3


def test_a_choice_without_a_share_goes_to_its_default() -> None:
    ends = {name: {"Type": "Succeed"} for name in ("Yes", "No")}
    choice = {"Type": "Choice", "Choices": [{"Next": "Yes"}], "Default": "No"}
    machine = {"StartAt": "C", "States": {"C": choice, **ends}}

    assert visits(machine, {}).states == {"C": 1, "No": 1}
    assert visits(machine, {}, {"C": {"Yes": 0.25, "No": 0.75}}).states == {"C": 1, "Yes": 0.25, "No": 0.75}


@pytest.mark.parametrize(
    ("change", "items", "ways", "says"),
    [
        ({}, {}, {}, "Each: how many items"),
        ({}, {"Each": 1}, {"Load": {"Each": 0.5}}, "1 together"),
        ({}, {"Each": 1}, {"Load": {"Nowhere": 1}}, "Nowhere: no state"),
        ({"Load": {**TASK, "Parameters": {"FunctionName": "other"}}}, {"Each": 1}, {}, "no function of"),
        (
            {"Load": {"Type": "Map", "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}}}},
            {"Load": 1, "Each": 1},
            {},
            "distributed Map",
        ),
    ],
)
def test_what_can_not_be_counted_is_said(change: Any, items: Any, ways: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        visits({**THREE_STATES, "States": THREE_STATES["States"] | change}, items, ways)


@given(
    st.sampled_from(sorted(SHAPES)),
    st.integers(0, 200),
    st.integers(0, 200),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_more_items_or_more_retries_are_never_fewer_transitions(
    workflow: str, items: int, more: int, rate: float, worse: float
) -> None:
    definition, shape = read_definition(workflow), SHAPES[workflow]
    few = visits(definition, dict.fromkeys(shape.items, items), shape.ways)
    many = visits(definition, dict.fromkeys(shape.items, items + more), shape.ways)

    assert few.transitions(rate) <= many.transitions(rate)
    assert few.transitions(rate) <= few.transitions(min(1.0, rate + worse))


def test_each_share_and_each_map_of_the_shapes_is_of_a_state_that_is_there() -> None:
    for workflow, shape in SHAPES.items():
        seen = visits(read_definition(workflow), shape.items, shape.ways).states
        assert {*shape.items, *shape.ways} <= set(seen), workflow


def test_a_report_with_two_pictures_and_three_people_enters_twenty_two_states() -> None:
    shape = SHAPES["guard_report"]

    # Load, Map, 2 x (Inspect, By Kind, Thumbnails, Accepted), Record, Map, 3 x (Render, Send, Notified), Summarize
    assert visits(read_definition("guard_report"), shape.items, shape.ways).transitions(0) == 22


# Enough for every step's ResultSelector: Lambda answers with more than a state takes from it.
EMAIL = {"email_key": "k", "send_once_key": "o", "status": "sent", "message_id": "m"}
FACTS: dict[str, Any] = {
    **dict.fromkeys(FileFacts.model_fields),
    "kind": "image",
    **dict.fromkeys(ThumbnailSet.model_fields),
}


@pytest.mark.parametrize(
    ("workflow", "items"),
    [
        ("guard_report", {"files": 2, "recipients": 3}),
        ("notification_email", {}),
        ("daily_report_digest", {"digests": 20}),
    ],
)
def test_the_engine_enters_what_is_counted(workflow: str, items: dict[str, int]) -> None:
    lists = {
        "files": [{"file_id": number} for number in range(items.get("files", 0))],
        "recipients": [{"user_id": number, "role": "client"} for number in range(items.get("recipients", 0))],
        "digests": [{"client_id": number} for number in range(items.get("digests", 0))],
    }
    counts = {"accepted": 2, "rejected": 0, "thumbnails": 8, "report_id": 1, "date": "2026-11-24", "skipped": 0}
    answer = {**FACTS, **counts, **EMAIL, **lists}
    definition, shape = read_definition(workflow), SHAPES[workflow]
    seen = visits(definition, shape.items, shape.ways)
    names = [f"${{{FUNCTIONS_BY_NAME[name].resource}Arn}}" for name in seen.functions]

    result = run(definition, {"report_id": 1}, dict.fromkeys(names, lambda _: answer))

    assert result.status == "SUCCEEDED", result.cause
    assert Counter(result.path) == seen.states
