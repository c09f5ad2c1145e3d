"""Workflows written in Python: their definitions, on the engine, and the refusals."""

import json
from typing import Any

import pytest

from asl_engine import run
from qu_workflows.protocol.catalog import RUN_TASK
from qu_workflows.tasks import authoring
from qu_workflows.tasks.authoring import AppsProject, WorkflowInvalid, choose, for_each, parallel, step, workflow
from qu_workflows.tasks.services import RunsAsWorkflow


class OutOfStock(Exception):
    pass


@step(permanent=(OutOfStock,), timeout_seconds=5, max_attempts=2)
def reserve(order_id: int, quantity: int = 1) -> dict[str, Any]:
    return {"order_id": order_id, "reserved": quantity}


@step
def label(order_id: int, reserved: int) -> dict[str, Any]:
    return {"label": f"{order_id}: {reserved}"}


@step
def split(n: int, kind: str = "plain") -> dict[str, Any]:
    return {"items": [{"i": i} for i in range(n)], "kind": kind}


@step
def double(i: int) -> int:
    return 2 * i


@step
def wrap(items: list[int], kind: str) -> dict[str, Any]:
    return {"items": items, "kind": f"wrapped {kind}"}


@step
def count(items: list[int], kind: str) -> int:  # noqa: ARG001  the fields of its input
    return len(items)


@step
def add(items: list[int], kind: str) -> int:  # noqa: ARG001  the fields of its input
    return sum(items)


@pytest.fixture(autouse=True)
def _no_other_workflows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authoring, "_workflows", {})


def result_of(name: str, given: dict[str, Any]) -> Any:
    """Run a workflow of this module on the engine."""
    authored = authoring._workflows[name]
    steps = {key: (lambda event, one=one: one.handle(event, None)) for key, one in authored.steps.items()}
    definition = authored.definition
    for key in steps:
        resource = "".join(word.capitalize() for word in key.split("_"))
        definition = definition.replace(f"${{{resource}FunctionArn}}", key)
    ended = run(definition, given, tasks=steps)
    return ended.output if ended.status == "SUCCEEDED" else ended.error


def test_a_chain_passes_each_result_to_the_next_step() -> None:
    workflow("ship", reserve, label)

    assert result_of("ship", {"order_id": 7, "quantity": 2}) == {"label": "7: 2"}


def test_a_step_has_its_time_limit_and_retriers() -> None:
    workflow("ship", reserve, label)

    state = json.loads(authoring._workflows["ship"].definition)["States"]["Reserve"]
    assert (state["TimeoutSeconds"], state["Next"]) == (5, "Label")
    assert [(one["ErrorEquals"], one["MaxAttempts"]) for one in state["Retry"]] == [
        (["OutOfStock"], 0),
        (["States.ALL"], 1),
    ]


def test_items_branches_and_choices_run_as_written() -> None:
    workflow("many", split, for_each("items", double), choose("kind", {"large": wrap}), parallel(count, add))

    assert result_of("many", {"n": 3, "kind": "large"}) == {
        "items": [0, 2, 4],
        "kind": "wrapped large",
        "results": [3, 6],
    }
    assert result_of("many", {"n": 2}) == {"items": [0, 2], "kind": "plain", "results": [2, 2]}


def test_a_choice_at_the_end_ends_the_workflow() -> None:
    workflow("many", split, choose("kind", {"large": wrap}))

    assert result_of("many", {"n": 0}) == {"items": [], "kind": "plain"}
    assert result_of("many", {"n": 0, "kind": "large"})["kind"] == "wrapped large"


def test_a_step_stays_a_function() -> None:
    assert reserve(7, quantity=3) == {"order_id": 7, "reserved": 3}


def test_the_task_has_the_parameters_of_the_first_step() -> None:
    task = workflow("ship", reserve, label)

    [entry] = AppsProject().workflow_tasks
    assert (entry.task, entry.workflow) == ("ship", "ship")
    assert {name: one.required for name, one in entry.parameters.items()} == {"order_id": True, "quantity": False}
    with pytest.raises(RunsAsWorkflow):
        task.func()


def test_a_project_of_apps_has_their_workflows_and_tasks() -> None:
    workflow("ship", reserve, label)

    project = AppsProject()
    assert project.workflows == ("ship", RUN_TASK)
    assert "custom_processing" in project.catalog
    with pytest.raises(FileNotFoundError):
        project.asl_of(RUN_TASK)


def test_a_second_workflow_of_a_name_is_refused_with_both_places() -> None:
    workflow("ship", reserve)

    with pytest.raises(WorkflowInvalid, match=rf"{label.where}.*'ship' is also at {reserve.where}"):
        workflow("ship", label)


def test_another_step_of_a_name_is_refused_with_both_places() -> None:
    @step
    def label(text: str) -> str:
        return text

    workflow("ship", reserve, globals()["label"])

    with pytest.raises(WorkflowInvalid, match=rf"{label.where}.*'label' is also at {globals()['label'].where}"):
        workflow("print", label)


def test_two_workflows_may_have_one_step() -> None:
    workflow("ship", reserve, label)
    workflow("print", label)

    assert set(authoring.authored_steps()) == {"reserve", "label"}


def test_a_step_that_occurs_twice_is_refused_with_its_place() -> None:
    with pytest.raises(WorkflowInvalid, match=f"{label.where}.*'Label' occurs twice"):
        workflow("ship", reserve, label, label)


def test_two_choices_and_branches_of_one_kind_are_numbered() -> None:
    workflow("many", split, choose("kind", {"a": wrap}), choose("kind", {"b": count}))

    states = json.loads(authoring._workflows["many"].definition)["States"]
    assert {"Choose Kind", "Choose Kind 2"} <= set(states)
    assert result_of("many", {"n": 1, "kind": "b"}) == 1


def test_a_plain_function_and_a_branch_for_none_are_refused() -> None:
    with pytest.raises(WorkflowInvalid, match="is no step"):
        workflow("many", split, len)  # type: ignore[arg-type]
    with pytest.raises(WorkflowInvalid, match="a branch for None"):
        workflow("many", split, choose("kind", {None: wrap}))


def test_a_workflow_begins_with_a_step() -> None:
    with pytest.raises(WorkflowInvalid, match="does not begin with a step"):
        workflow("many", for_each("items", double))
