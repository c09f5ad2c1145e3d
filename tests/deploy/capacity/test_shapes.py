"""The shape of an execution, out of its definition."""

from typing import Any

import pytest

from deploy.capacity.shapes import Fan, Pass, Retrier, Shape, Work, shape_of, shape_of_workflow, transitions
from workflows.project import PROJECT


def functions(shape: Shape) -> list[str]:
    return [
        name
        for step in shape
        for name in (
            functions(step.body) if isinstance(step, Fan) else [step.function] if isinstance(step, Work) else []
        )
    ]


def test_a_report_goes_through_its_files_and_its_people_five_at_a_time() -> None:
    shape = shape_of_workflow("guard_report")

    assert functions(shape) == [
        "load_report",
        "inspect_file",
        "make_thumbnails",
        "record_report",
        "render_email",
        "send_email",
    ]
    assert [(step.items, step.at_a_time) for step in shape if isinstance(step, Fan)] == [
        ("files", 5),
        ("recipients", 5),
    ]
    assert transitions(shape, {"files": 2, "recipients": 3}) == 5 + 2 * 4 + 3 * 3


@pytest.mark.parametrize("workflow", PROJECT.workflows)
def test_every_workflow_has_a_shape_whose_functions_are_tried_again_when_throttled(workflow: str) -> None:
    shape = shape_of_workflow(workflow)

    assert functions(shape)
    assert all(step.retrier.max_attempts >= 3 for step in shape if isinstance(step, Work))


def test_an_incident_waits_for_a_person() -> None:
    tasks = [step for step in shape_of_workflow("incident_escalation") if isinstance(step, Work)]

    assert [task.function for task in tasks if task.is_answered_later] == ["await_acknowledgement"]


def test_a_choice_goes_by_its_default_where_no_way_is_named() -> None:
    states: dict[str, Any] = {
        "Which": {"Type": "Choice", "Choices": [{"Next": "Rare"}], "Default": "Usual"},
        "Rare": {"Type": "Wait", "Seconds": 9, "End": True},
        "Usual": {"Type": "Pass", "End": True},
    }

    assert shape_of({"StartAt": "Which", "States": states}) == (Pass(), Pass())


def test_a_state_that_the_simulation_does_not_know_is_no_shape() -> None:
    with pytest.raises(KeyError, match="Wait"):
        shape_of({"StartAt": "One", "States": {"One": {"Type": "Wait", "Seconds": 1, "End": True}}})


def test_a_retrier_waits_twice_as_long_each_time_up_to_its_longest() -> None:
    assert [Retrier().delay(attempt) for attempt in range(7)] == [2, 4, 8, 16, 32, 60, 60]
