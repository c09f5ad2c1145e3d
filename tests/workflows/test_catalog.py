"""The catalog: names, workflows and contracts tied together."""

import json

import pytest

from workflows.catalog import DJANGO_TASKS_FILE, PARAMETER_TYPES, RUN_TASK, WORKFLOWS, catalog, read_django_tasks


def test_every_task_has_a_workflow() -> None:
    assert {entry.workflow for entry in catalog().values()} <= set(WORKFLOWS)


def test_every_entry_goes_by_its_own_name() -> None:
    assert {name: entry.task for name, entry in catalog().items()} == {name: name for name in catalog()}


def test_no_django_task_hides_behind_a_workflow_of_the_same_name() -> None:
    listed = read_django_tasks(DJANGO_TASKS_FILE.read_text(encoding="utf-8"))

    assert not [name for name in listed if catalog()[name].workflow != RUN_TASK]


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("array", [1], {}),
        ("boolean", True, 1),
        ("integer", 1, True),
        ("number", 1.5, "1.5"),
        ("object", {"a": 1}, [1]),
        ("string", "a", 1),
    ],
)
def test_a_parameter_takes_its_own_type_alone(kind: str, right: object, wrong: object) -> None:
    text = json.dumps({"act": {"parameters": {"value": {"type": kind, "required": True}}}})
    model = read_django_tasks(text)["act"].payload_model

    model.model_validate({"value": right})
    with pytest.raises(ValueError, match="value"):
        model.model_validate({"value": wrong})


def test_a_parameter_of_any_type_takes_all_of_them() -> None:
    assert set(PARAMETER_TYPES) == {"any", "array", "boolean", "integer", "number", "object", "string"}
    text = json.dumps({"act": {"parameters": {"value": {"type": "any", "required": False}}}})
    model = read_django_tasks(text)["act"].payload_model

    for value in (None, 1, 1.5, "a", [1], {"a": 1}, True):
        assert model.model_validate({"value": value}).model_dump(by_alias=True) == {"value": value}


@pytest.mark.parametrize(
    ("task", "payload", "payload_key", "expected"),
    [
        ("process_guard_report", {"report_id": 1}, None, {"report_id": 1}),
        ("send_notification_email", None, "payloads/a.json", {"payload_key": "payloads/a.json"}),
        ("act", {}, None, {"task": "act", "payload": {}}),
        ("act", None, "payloads/a.json", {"task": "act", "payload_key": "payloads/a.json"}),
    ],
)
def test_the_execution_input_is_the_payload_and_for_run_task_it_names_the_task(
    task: str, payload: dict[str, int] | None, payload_key: str | None, expected: dict[str, object]
) -> None:
    tasks = {**read_django_tasks('{"act": {"parameters": {}}}'), **catalog()}

    assert tasks[task].execution_input(payload, payload_key) == expected
