"""The catalog: names, workflows and contracts tied together."""

import pytest

from qu_workflows.protocol.catalog import RUN_TASK, read_tasks
from workflows.project import PROJECT


def test_every_task_has_a_workflow() -> None:
    assert {entry.workflow for entry in PROJECT.catalog.values()} <= set(PROJECT.workflows)


def test_every_entry_goes_by_its_own_name() -> None:
    assert {name: entry.task for name, entry in PROJECT.catalog.items()} == {name: name for name in PROJECT.catalog}


def test_no_django_task_hides_behind_a_workflow_of_the_same_name() -> None:
    listed = read_tasks(PROJECT.django_tasks_file.read_text(encoding="utf-8"))

    assert not [name for name in listed if PROJECT.catalog[name].workflow != RUN_TASK]


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
    tasks = {**read_tasks('{"act": {"parameters": {}}}'), **PROJECT.catalog}

    assert tasks[task].execution_input(payload, payload_key) == expected
