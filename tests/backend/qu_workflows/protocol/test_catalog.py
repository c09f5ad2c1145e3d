"""The catalog: names, workflows and contracts tied together."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from qu_workflows.protocol.catalog import ANY, RUN_TASK, TYPES, Parameter, json_type, read_tasks
from workflows.contracts.tasks import WorkflowTask, workflow_tasks
from workflows.project import PROJECT

JSON_VALUES: dict[str, Any] = {
    "an array": [1],
    "a boolean": True,
    "null": None,
    "a number": 1,
    "an object": {"a": 1},
    "a string": "a",
}
TAKES = {
    "array": {"an array"},
    "boolean": {"a boolean"},
    "integer": {"a number"},
    "number": {"a number"},
    "object": {"an object"},
    "string": {"a string"},
    ANY: set(JSON_VALUES),
}


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
def test_the_execution_input_is_the_payload_or_names_the_task(
    task: str, payload: dict[str, int] | None, payload_key: str | None, expected: dict[str, object]
) -> None:
    tasks = {**read_tasks('{"act": {"parameters": {}}}'), **PROJECT.catalog}

    assert tasks[task].execution_input(payload, payload_key) == expected


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
anything: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-1, 2) | st.floats(allow_nan=False) | texts | st.lists(st.integers())
)
# For each field of the contracts, what fits and what just does not.
FITTING: dict[str, st.SearchStrategy[Any]] = {
    "context": st.dictionaries(texts, anything, max_size=2),
    "date": st.just("") | st.dates().map(str),
    "report_id": st.integers(1, 2**63 - 1),
    "subject": st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=200),
    "template_name": st.from_regex(r"emails/[a-zA-Z0-9_-]{1,2}(/[a-z]{1,2})?\.html", fullmatch=True),
    "user_id": st.integers(1, 2**63 - 1),
}
NEARLY: dict[str, st.SearchStrategy[Any]] = {
    "context": anything,
    "date": st.sampled_from([" ", "2026-11-23\n", "2026-1-23", "26-11-23", "2026-11-23T00:00"]),
    "report_id": st.sampled_from([0, -1, 2**63, 1.0, 1.5, True, "1"]),
    "subject": st.text(st.sampled_from("a\n\r"), max_size=3) | st.integers(199, 202).map(lambda n: "é" * n),
    "template_name": st.sampled_from(["emails/../a.html", "emails/a.html\n", "a.html", "emails/a.txt", "emails/.html"]),
    "user_id": st.sampled_from([0, 2**63, True, "1"]),
}


def fitting(parameter: Parameter) -> st.SearchStrategy[Any]:
    """Return values for a field that is not in FITTING."""
    of_type: dict[str, st.SearchStrategy[Any]] = {
        "boolean": st.booleans(),
        "integer": st.integers(parameter.minimum, parameter.maximum),
        "number": st.floats(allow_nan=False, allow_infinity=False),
        "string": st.from_regex(parameter.pattern, fullmatch=True) if parameter.pattern else texts,
    }
    return of_type.get(parameter.type, anything)


@st.composite
def payloads(draw: st.DrawFn, task: WorkflowTask) -> dict[str, Any]:
    """Draw a payload that fits, or one that does not in a field or two."""
    parameters = PROJECT.catalog[task.task].parameters
    strategies = {name: fitting(parameter) for name, parameter in parameters.items()} | FITTING
    payload = {name: draw(strategies[name]) for name in task.payload.model_fields}
    for name in draw(st.lists(st.sampled_from(sorted(payload)), max_size=2, unique=True)):
        payload[name] = draw(NEARLY.get(name, anything) | anything)
    for name in draw(st.lists(st.sampled_from([*payload, "surplus"]), max_size=1)):
        if payload.pop(name, None) is None:
            payload[name] = 1
    return payload


@pytest.mark.parametrize("task", workflow_tasks(), ids=lambda task: task.task)
@given(data=st.data())
def test_a_payload_fits_its_parameters_exactly_when_it_fits_its_contract(
    task: WorkflowTask, data: st.DataObject
) -> None:
    payload = data.draw(payloads(task))
    try:
        task.payload.model_validate(payload)
        fits = True
    except ValidationError:
        fits = False

    assert (PROJECT.catalog[task.task].problems_with(payload) == []) is fits


@pytest.mark.parametrize("task", workflow_tasks(), ids=lambda task: task.task)
def test_a_pattern_holds_for_a_whole_text_in_both(task: WorkflowTask) -> None:
    patterns = [parameter.pattern for parameter in PROJECT.catalog[task.task].parameters.values() if parameter.pattern]

    assert all(pattern.startswith("^") and pattern.endswith("$") for pattern in patterns)


@pytest.mark.parametrize("kind", [*TYPES, ANY])
def test_a_parameter_takes_its_own_type_alone(kind: str) -> None:
    parameter = Parameter(kind, required=True)

    assert {name for name, value in JSON_VALUES.items() if parameter.problem_with(value) is None} == TAKES[kind]


@pytest.mark.parametrize(("name", "value"), JSON_VALUES.items())
def test_a_json_value_has_a_name_that_people_know(name: str, value: Any) -> None:
    assert json_type(value) == name


def test_a_whole_number_is_no_fraction_and_a_fraction_is_a_number() -> None:
    assert Parameter("integer", required=True).problem_with(1.5) == "is a number, not an integer"
    assert Parameter("number", required=True).problem_with(1.5) is None


@pytest.mark.parametrize(
    ("parameter", "value", "problem"),
    [
        (Parameter("integer", required=True, minimum=1), 0, "is less than 1"),
        (Parameter("integer", required=True, maximum=9), 10, "is more than 9"),
        (Parameter("string", required=True, min_length=1), "", "is shorter than 1"),
        (Parameter("string", required=True, max_length=2), "abc", "is longer than 2"),
        (Parameter("string", required=True, pattern="^a$"), "a\n", "does not match ^a$"),
    ],
)
def test_a_value_outside_its_bounds_names_the_bound(parameter: Parameter, value: Any, problem: str) -> None:
    assert parameter.problem_with(value) == problem
