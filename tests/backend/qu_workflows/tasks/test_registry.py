from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.tasks.exceptions import InvalidTask

from common import tasks as common_tasks
from qu_workflows.protocol.catalog import Parameter
from qu_workflows.tasks.registry import entry_of, parameters_of, registered_tasks, registration_of
from qu_workflows.tasks.services import async_task
from tests.backend.qu_workflows.sample import tasks
from workflows.project import PROJECT


def test_tasks_are_found_by_their_given_name_or_their_path() -> None:
    names = set(registered_tasks())

    assert {"process_guard_report", "send_notification_email", "custom_processing", "sample_sum"} <= names
    assert "tests.backend.qu_workflows.sample.tasks.name_group" in names


def test_only_workflow_tasks_have_a_workflow_of_their_own() -> None:
    several_steps = {name for name, task in registered_tasks().items() if not task.runs_in_one_step}

    # The others are enqueued by name alone.
    assert several_steps <= {entry.task for entry in PROJECT.workflow_tasks}
    assert "process_guard_report" in several_steps


def test_a_signature_becomes_the_words_of_the_catalog() -> None:
    def everything(  # type: ignore[no-untyped-def]  # one of each, old code's too
        text: str,
        count: int,
        share: float,
        flag: bool,
        many: list[int],
        table: dict[str, Any],
        either: int | None = None,
        *,
        quoted: "str" = "",
        unknown: "Nowhere" = None,  # type: ignore[name-defined]  # noqa: F821  a name for the type checker alone
        bare=None,  # noqa: ANN001  as old code has it
    ) -> None: ...

    assert parameters_of(everything) == {
        "text": Parameter("string", required=True),
        "count": Parameter("integer", required=True),
        "share": Parameter("number", required=True),
        "flag": Parameter("boolean", required=True),
        "many": Parameter("array", required=True),
        "table": Parameter("object", required=True),
        "either": Parameter("any", required=False),
        "quoted": Parameter("string", required=False),
        "unknown": Parameter("any", required=False),
        "bare": Parameter("any", required=False),
    }


def test_the_task_context_is_no_parameter() -> None:
    assert list(registration_of(tasks.count_attempts).entry.parameter_names) == ["label"]


def test_the_functions_of_workflows_have_their_contracts_parameters() -> None:
    def process_guard_report(report: int) -> None: ...

    with pytest.raises(InvalidTask, match="the contract of guard_report has report_id"):
        entry_of("process_guard_report", process_guard_report, takes_context=False)


@pytest.mark.parametrize("source", ["def f(*args): ...", "def f(**kwargs): ...", "def f(a, /): ..."])
def test_parameters_without_a_name_are_refused(source: str) -> None:
    scope: dict[str, Any] = {}
    exec(source, scope)  # noqa: S102  the forms are data here

    with pytest.raises(InvalidTask, match="Name its parameters"):
        parameters_of(scope["f"])


def test_two_functions_of_one_name_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def other(data: str) -> None: ...

    other.__qualname__ = "other"
    monkeypatch.setattr(tasks, "custom_processing_again", async_task("custom_processing")(other), raising=False)
    registered_tasks.cache_clear()
    try:
        with pytest.raises(ImproperlyConfigured, match="both registered as 'custom_processing'"):
            registered_tasks()
    finally:
        registered_tasks.cache_clear()


def test_a_task_that_is_imported_into_a_second_module_is_one_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "custom_processing", common_tasks.custom_processing, raising=False)
    registered_tasks.cache_clear()

    assert registered_tasks()["custom_processing"].task is common_tasks.custom_processing
