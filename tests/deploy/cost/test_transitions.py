"""Transitions counted from a definition, compared with counts by hand and with the engine."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_engine.in_process import run
from deploy.cost.figures import SHAPES, NotEstimated, WorkflowShape
from deploy.cost.transitions import count_entries, read_definition
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


def shape(items: dict[str, int] | None = None, ways: dict[str, dict[str, float]] | None = None) -> WorkflowShape:
    return WorkflowShape(task="one", items=items or {}, ways=ways or {})


def test_a_map_counts_itself_and_the_states_of_each_item() -> None:
    found = count_entries(THREE_STATES, shape({"Each": 4}))

    assert found.states == {"Load": 1, "Each": 1, "Send": 4, "Done": 4, "Sum": 1}
    assert found.functions == {"load_report": 1, "send_email": 4}


def test_each_retry_is_a_transition_and_only_tasks_are_retried() -> None:
    assert count_entries(THREE_STATES, shape({"Each": 4})).transitions == pytest.approx(11 + 5 * 0.01)


def test_a_loop_repeated_by_half_of_the_executions_counts_twice() -> None:
    found = count_entries(LOOP, shape(ways={"Ask": {"Ask": 0.5, "Done": 0.5}}))

    assert found.states == {"Ask": pytest.approx(2), "Done": pytest.approx(1)}


def test_both_branches_of_a_parallel_are_entered() -> None:
    branches = [{"StartAt": name, "States": {name: {"Type": "Pass", "End": True}}} for name in "AB"]
    machine = {"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": branches, "End": True}}}

    assert count_entries(machine, shape()).states == {"P": 1, "A": 1, "B": 1}


def test_a_choice_without_shares_goes_to_its_default() -> None:
    ends = {name: {"Type": "Succeed"} for name in ("Yes", "No")}
    choice = {"Type": "Choice", "Choices": [{"Next": "Yes"}], "Default": "No"}
    machine = {"StartAt": "C", "States": {"C": choice, **ends}}

    assert count_entries(machine, shape()).states == {"C": 1, "No": 1}
    shares = {"C": {"Yes": 0.25, "No": 0.75}}
    assert count_entries(machine, shape(ways=shares)).states == {"C": 1, "Yes": 0.25, "No": 0.75}


@pytest.mark.parametrize(
    ("change", "items", "ways", "reason"),
    [
        ({}, {}, {}, "number of items is missing"),
        ({}, {"Each": 1, "Other": 2}, {}, "no execution enters: Other"),
        ({}, {"Each": 1}, {"Load": {"Nowhere": 1}}, "no state Nowhere"),
        ({"Load": {**TASK, "Parameters": {"FunctionName": "other"}}}, {"Each": 1}, {}, "none of the functions"),
        (
            {"Load": {"Type": "Map", "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}}}},
            {"Load": 1, "Each": 1},
            {},
            "distributed",
        ),
    ],
)
def test_a_definition_that_cannot_be_counted_is_not_estimated(change: Any, items: Any, ways: Any, reason: str) -> None:
    with pytest.raises(NotEstimated, match=reason):
        count_entries({**THREE_STATES, "States": THREE_STATES["States"] | change}, shape(items, ways))


@given(st.sampled_from(sorted(SHAPES)), st.integers(1, 200), st.integers(0, 200))
def test_more_items_are_never_fewer_transitions(workflow: str, items: int, more: int) -> None:
    definition, given_shape = read_definition(workflow), SHAPES[workflow]
    few, many = (
        count_entries(definition, shape(dict.fromkeys(given_shape.items, number), given_shape.ways)).transitions
        for number in (items, items + more)
    )

    assert few <= many


# Enough for the ResultSelector of every step.
EMAIL = {"email_key": "k", "send_once_key": "o", "status": "sent", "message_id": "m"}
FACTS: dict[str, Any] = {
    **dict.fromkeys(FileFacts.model_fields),
    "kind": "image",
    **dict.fromkeys(ThumbnailSet.model_fields),
}


@pytest.mark.parametrize("workflow", ["guard_report", "notification_email", "daily_report_digest"])
def test_the_engine_enters_the_counted_states(workflow: str) -> None:
    definition, items = read_definition(workflow), SHAPES[workflow].items
    lists = {
        "files": [{"file_id": number} for number in range(items.get("Process Files", 0))],
        "recipients": [{"user_id": number, "role": "client"} for number in range(items.get("Notify People", 0))],
        "digests": [{"client_id": number} for number in range(items.get("Send Digests", 0))],
    }
    counts = {"accepted": 2, "rejected": 0, "thumbnails": 8, "report_id": 1, "date": "2026-11-24", "skipped": 0}
    answer = {**FACTS, **counts, **EMAIL, **lists}
    found = count_entries(definition, SHAPES[workflow])
    names = [f"${{{FUNCTIONS_BY_NAME[name].resource}Arn}}" for name in found.functions]

    result = run(definition, {"report_id": 1}, dict.fromkeys(names, lambda _: answer))

    assert result.status == "SUCCEEDED", result.cause
    assert Counter(result.path) == found.states
