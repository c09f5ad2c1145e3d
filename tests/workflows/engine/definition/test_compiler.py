"""Compilation, of every definition that passes the checks."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asl_engine.definition import load
from asl_engine.definition.checks import check
from asl_engine.definition.compiler import compile_program, compile_state
from asl_engine.definition.diagnostics import DefinitionRefused, errors_of, refusal_text
from asl_engine.definition.program import (
    ChoiceState,
    FailState,
    MapState,
    ParallelState,
    PassState,
    TaskState,
    WaitState,
)
from asl_engine.errors import StateFailed
from asl_engine.language.env import Env
from tests.workflows.engine.definition.machines import EVERYTHING, INVOKE, branch, mapping, one_state, passing, task

STATE_MACHINES = sorted((Path(__file__).parents[4] / "state_machines").glob("*.asl.json"))
PROGRAM = compile_program(EVERYTHING)
ENV = Env(input={"id": 7, "timeout": 30, "most": 4, "bucket": "b"}, variables={"prefix": "p", "asked": "yes"})


def test_a_machine_has_its_entrance_and_timeout() -> None:
    assert (PROGRAM.start_at, PROGRAM.timeout_seconds) == ("Call", 3600)
    assert list(PROGRAM.states) == list(EVERYTHING["States"])


def test_a_task_is_compiled() -> None:
    state = PROGRAM.states["Call"]
    assert isinstance(state, TaskState)

    assert state.resource == f"{INVOKE}.waitForTaskToken"
    assert state.heartbeat is not None
    assert state.heartbeat.evaluate(ENV) == 5
    assert state.timeout is not None
    assert state.timeout.evaluate(ENV) == 30
    assert state.result_selector is not None
    assert state.result_selector.evaluate(ENV) == {"id": "7-p"}
    assert state.result_path is not None
    assert state.result_path.write({"a": 1}, 2) == {"a": 1, "call": 2}
    assert (state.next, state.jsonata) == ("Pick", False)


def test_retriers_and_catchers_have_their_defaults() -> None:
    first, last = PROGRAM.states["Call"].retry

    assert (first.interval_seconds, first.max_attempts, first.backoff_rate, first.jitter) == (1, 3, 1.5, True)
    assert (last.error_equals, last.max_attempts, last.max_delay_seconds) == (("States.ALL",), 0, 60)
    (catcher,) = PROGRAM.states["Call"].catch
    assert (catcher.next, catcher.discard, catcher.result_path) == ("Failed", True, None)


def test_a_null_path_discards_and_the_whole_document_needs_no_path() -> None:
    def compiled(**fields: Any) -> PassState:
        state = load(one_state(passing(**fields))).states["Here"]
        assert isinstance(state, PassState)
        return state

    nothing = compiled(InputPath=None, OutputPath=None, ResultPath=None)
    assert (nothing.discard_input, nothing.discard_output, nothing.discard_result) == (True, True, True)
    whole = compiled(InputPath="$", OutputPath="$", ResultPath="$", Result=None)
    assert (whole.input_path, whole.output_path, whole.result_path, whole.discard_input) == (None, None, None, False)
    assert (whole.has_result, compiled().has_result) == (True, False)


def test_choices_waits_and_failures_are_compiled() -> None:
    choice, judge = PROGRAM.states["Pick"], PROGRAM.states["Judge"]
    wait, until, fail = PROGRAM.states["Wait"], PROGRAM.states["Until"], PROGRAM.states["Failed"]
    assert isinstance(choice, ChoiceState)
    assert isinstance(judge, ChoiceState)
    assert isinstance(wait, WaitState)
    assert isinstance(until, WaitState)
    assert isinstance(fail, FailState)

    assert [rule.next for rule in choice.choices] == ["Wait", "Each"]
    assert choice.choices[0].condition(Env(input={"kind": "a", "other": "a"}))
    assert choice.default == "Both"
    assert judge.choices[0].condition(ENV)
    assert wait.seconds is not None
    assert wait.seconds.evaluate(Env(input={"seconds": 9})) == 9
    assert until.timestamp is not None
    assert until.timestamp.evaluate(ENV) == "2024-01-01T00:00:00Z"
    assert fail.cause is not None
    assert fail.cause.evaluate(Env(input={"cause": {"a": 1}})) == '{"a":1}'


def test_a_missing_cause_of_a_failure_names_its_field() -> None:
    fail = PROGRAM.states["Failed"]
    assert isinstance(fail, FailState)
    assert fail.error is not None

    with pytest.raises(StateFailed) as failure:
        fail.error.evaluate(Env(input={"a": 1}))

    assert failure.value.cause == (
        "The JSONPath '$.error' specified for the field 'ErrorPath' could not be found in the input '{\"a\":1}'"
    )


def test_a_distributed_map_is_compiled() -> None:
    state = PROGRAM.states["Each"]
    assert isinstance(state, MapState)

    assert (state.distributed, state.express_children, state.label) == (True, True, "each-item")
    assert state.tolerated_failure_percentage is not None
    assert state.tolerated_failure_percentage.evaluate(ENV) == 10
    assert state.max_concurrency is not None
    assert state.max_concurrency.evaluate(ENV) == 4
    assert state.item_reader is not None
    assert state.item_reader.parameters is not None
    assert state.item_reader.parameters.evaluate(ENV) == {"Bucket": "b", "Key": "items.csv"}
    assert state.item_reader.max_items is not None
    assert state.item_batcher is not None
    assert state.item_batcher.max_items is not None
    assert state.item_batcher.max_items.evaluate(ENV) == 10
    assert state.item_batcher.max_bytes is None
    assert state.result_writer is not None
    assert state.result_writer.resource == "arn:aws:states:::s3:putObject"
    assert list(state.processor.states) == ["Item"]


def test_the_older_form_of_a_map_is_compiled() -> None:
    node = {**mapping(), "Iterator": branch(), "Parameters": {"x.$": "$$.Map.Item.Value"}}
    del node["ItemProcessor"]
    state = load(one_state(node)).states["Here"]
    assert isinstance(state, MapState)

    assert state.parameters is None
    assert state.item_selector is not None
    assert state.item_selector.evaluate(Env(input={}, context={"Map": {"Item": {"Value": 3}}})) == {"x": 3}


def test_a_jsonata_state_has_arguments_output_and_expressions() -> None:
    state, each = PROGRAM.states["Ask"], PROGRAM.states["Every"]
    assert isinstance(state, TaskState)
    assert isinstance(each, MapState)
    env = Env(input={}, variables={"asked": "yes"}, states={"input": {"timeout": 5}, "context": {}})

    assert state.jsonata
    assert state.timeout is not None
    assert state.timeout.evaluate(env) == 5
    assert state.output is not None
    assert state.output.evaluate(env) == {"asked": "yes"}
    assert state.catch[0].output is not None
    assert each.items is not None
    assert each.items.evaluate(env) == ["yes", 2]
    assert each.max_concurrency is not None
    assert each.max_concurrency.evaluate(env) == 3


def test_nested_states_inherit_the_machines_language() -> None:
    def inner(text: str) -> bool:
        state = load(text).states["Here"]
        assert isinstance(state, MapState)
        return state.processor.states["Inner"].jsonata

    assert inner(one_state(mapping(), QueryLanguage="JSONata"))
    assert not inner(one_state(mapping(QueryLanguage="JSONata")))
    assert inner(one_state(mapping(branch(QueryLanguage="JSONata"))))


def test_branches_are_programs() -> None:
    state = PROGRAM.states["Both"]
    assert isinstance(state, ParallelState)

    assert [branch.start_at for branch in state.branches] == ["Left", "Right"]


def test_a_single_state_compiles() -> None:
    state = compile_state("Here", passing(Result={"a": 1}))
    assert isinstance(state, PassState)

    assert (state.name, state.result) == ("Here", {"a": 1})


def test_loading_a_broken_definition_lists_each_problem_and_its_remedy() -> None:
    text = one_state(task(Retry=[{"ErrorEquals": []}], Next="There"))

    with pytest.raises(DefinitionRefused) as refused:
        load(text)

    assert str(refused.value).splitlines() == [
        "/States/Here/Retry[0]/ErrorEquals: Value cannot be empty. Write at least one entry, or leave the field out.",
        "/States/Here: There should only be one of the following fields: [Next, End]. Keep one of them.",
    ]


def test_a_definition_with_warnings_is_loaded() -> None:
    assert load(one_state(task(Parameters={"a": "$.b"}))).start_at == "Here"


def test_a_refusal_lists_the_errors_as_aws_does() -> None:
    text = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}})

    assert refusal_text(check(text)) == (
        "Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /States/A/Next, "
        "MISSING_END_STATE: Workflow has no terminal state at null'"
    )


def test_a_problem_of_the_whole_has_no_location() -> None:
    text = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "A"}}})

    assert [found.answer() for found in check(text)] == [
        {"severity": "ERROR", "code": "MISSING_END_STATE", "message": "Workflow has no terminal state"}
    ]


@pytest.mark.parametrize("file", STATE_MACHINES, ids=lambda file: file.stem)
def test_our_own_state_machines_have_no_problems(file: Path) -> None:
    text = re.sub(r"\$\{\w+\}", "arn:aws:lambda:us-east-1:123456789012:function:f", file.read_text())

    assert check(text) == []
    assert load(text).states


def nodes_of(value: Any) -> list[Any]:
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(node for member in members for node in nodes_of(member))]


BROKEN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 10**9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "$", "$.a", "$$", "$x", "{% $x %}", "{% ( %}", "States.UUID()", "Call", "Pass", "EXPRESS"]),
    st.text(max_size=4),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["Type", "a", "b.$", "StartAt", "States"]), st.text(max_size=3), max_size=2),
)


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """Draw the full definition with up to three of its fields changed, removed or moved."""
    definition = copy.deepcopy(EVERYTHING)
    for _ in range(draw(st.integers(1, 3))):
        holders = [node for node in nodes_of(definition) if isinstance(node, (dict, list)) and node]
        holder = draw(st.sampled_from(holders))
        key = draw(st.sampled_from(range(len(holder)) if isinstance(holder, list) else sorted(holder)))
        change = draw(st.sampled_from(["set", "remove", "rename", "borrow"]))
        if change == "remove":
            del holder[key]
        elif change == "rename" and isinstance(holder, dict):
            others = sorted({name for node in nodes_of(EVERYTHING) if isinstance(node, dict) for name in node})
            holder[draw(st.sampled_from(others))] = holder.pop(key)
        elif change == "borrow":
            holder[key] = copy.deepcopy(draw(st.sampled_from(nodes_of(EVERYTHING))))
        else:
            holder[key] = draw(BROKEN)
    return definition


@settings(max_examples=300, deadline=None)
@given(mutated())
def test_a_mutated_definition_is_refused_or_compiles(definition: dict[str, Any]) -> None:
    for machine_type in ("STANDARD", "EXPRESS"):
        errors = errors_of(check(json.dumps(definition), machine_type))
        if errors:
            assert all(error.code and error.message and error.remedy for error in errors)
        else:
            compile_program(definition)


def test_a_nested_field_is_named_by_its_location() -> None:
    rule = {"Condition": "{% $no %}", "Output": {"v": ["{% $no %}"]}, "Next": "End"}
    choice = {"Type": "Choice", "QueryLanguage": "JSONata", "Choices": [{**rule, "Condition": "{% true %}"}, rule]}
    reader = {"Resource": "arn:aws:states:::s3:getObject", "Arguments": {"Bucket": "{% $no %}"}}
    compiled = compile_program(
        {
            "StartAt": "Choose",
            "States": {
                "Choose": choice,
                "Each": {**mapping(QueryLanguage="JSONata", ItemReader=reader), "End": True},
                "End": {"Type": "Succeed"},
            },
        }
    ).states
    choose, each = compiled["Choose"], compiled["Each"]
    assert isinstance(choose, ChoiceState)
    assert isinstance(each, MapState)
    assert each.item_reader is not None

    for evaluate, location in (
        (choose.choices[1].condition, "Choices[1]/Condition"),
        (choose.choices[0].output.evaluate, "Choices[0]/Output/v[0]"),  # type: ignore[union-attr]  # it is there
        (each.item_reader.parameters.evaluate, "ItemReader/Arguments/Bucket"),  # type: ignore[union-attr]  # it too
    ):
        with pytest.raises(StateFailed) as failure:
            evaluate(ENV)
        assert failure.value.location == location
