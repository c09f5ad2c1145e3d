"""Problems between states: names, labels, transitions, reachability, variables."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from asl_engine.definition.checks import check
from tests.workflows.engine.definition.machines import branch, distributed, mapping, one_state, parallel, passing


def machine(start: str, **states: Any) -> str:
    return json.dumps({"StartAt": start, "States": states})


def found_in(text: str) -> list[tuple[str, str, str]]:
    return [(found.code, found.location, found.message) for found in check(text)]


def to(name: str) -> dict[str, Any]:
    return {"Type": "Pass", "Next": name}


SUCCEED = {"Type": "Succeed"}


def missing(name: str, location: str) -> tuple[str, str, str]:
    return "MISSING_TRANSITION_TARGET", location, f"Missing 'Next' target: {name}"


def unreachable(name: str, location: str = "/States/{}") -> tuple[str, str, str]:
    return "MISSING_TRANSITION_TARGET", location.format(name), f'State "{name}" is not reachable.'


NO_END = ("MISSING_END_STATE", "", "Workflow has no terminal state")


def test_every_transition_has_a_target() -> None:
    choice = {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "X"}], "Default": "Y"}
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Catch": [{"ErrorEquals": ["E"], "Next": "Z"}],
        "Next": "C",
    }

    assert found_in(machine("T", T=task, C=choice, D=SUCCEED)) == [
        missing("Z", "/States/T/Catch[0]/Next"),
        missing("Y", "/States/C/Default"),
        missing("X", "/States/C/Choices[0]/Next"),
        unreachable("D"),
    ]


def test_start_at_names_a_state() -> None:
    assert found_in(machine("Not sure", One=to("Two"), Two=SUCCEED)) == [
        missing("Not sure", "/StartAt"),
        unreachable("One"),
    ]


def test_a_state_without_a_transition_to_it_is_unreachable() -> None:
    assert found_in(machine("A", A=to("B"), B=SUCCEED, C=to("B"))) == [unreachable("C")]


def test_an_unreachable_cycle_is_reported_once() -> None:
    assert found_in(machine("A", A=SUCCEED, B=to("C"), C=to("B"))) == [unreachable("B")]


def test_without_an_end_state_unreachable_states_are_not_reported() -> None:
    assert found_in(machine("A", A=to("B"), B=to("A"), C=to("A"))) == [NO_END]
    assert found_in(machine("A", A=to("Nope"))) == [missing("Nope", "/States/A/Next"), NO_END]


def test_a_branch_has_transitions_to_its_own_states_only() -> None:
    inner = {"StartAt": "I", "States": {"I": to("There"), "J": SUCCEED}}

    assert found_in(one_state(parallel(inner, End=False, Next="There"))) == [
        missing("There", "/States/Here/Branches[0]/States/I/Next"),
        unreachable("J", "/States/Here/Branches[0]/States/{}"),
    ]


def test_state_names_are_unique_in_the_machine() -> None:
    assert found_in(one_state(mapping(branch("Here")))) == [
        ("DUPLICATE_STATE_NAME", "/States/Here/ItemProcessor/States/Here", "Duplicate State name: Here")
    ]


def test_a_name_has_at_most_eighty_characters() -> None:
    long = "n" * 81
    (found,) = found_in(machine(long, **{long: SUCCEED}))

    assert found[:2] == ("INVALID_STATE_NAME", f"/States/{long}")
    assert found_in(machine(long[1:], **{long[1:]: SUCCEED})) == []


@pytest.mark.parametrize("label", ["a b", "a?", "a*", "a<", "a}", 'a"', "a#", "a\\", "a|", "a:", "a\x00", "a\x9f"])
def test_a_label_has_the_characters_of_an_arn(label: str) -> None:
    message = f"Label contains invalid character: {label[1]!r}"

    assert found_in(one_state(distributed(Label=label))) == [("INVALID_LABEL_NAME", "/States/Here/Label", message)]


def test_a_label_has_at_most_forty_characters() -> None:
    (found,) = found_in(one_state(distributed(Label="a" * 41)))

    assert found == ("INVALID_LABEL_NAME", "/States/Here/Label", "Label cannot exceed 40 characters")
    assert found_in(one_state(distributed(Label="a" * 40))) == []


def test_labels_are_unique() -> None:
    second = distributed(Label="each")
    second["ItemProcessor"] = {**second["ItemProcessor"], **branch("Other")}
    text = machine("A", A={**distributed(Label="each"), "End": False, "Next": "B"}, B=second)

    assert found_in(text) == [("DUPLICATE_LABEL_NAME", "/States/B/Label", "Duplicate Label name: each")]


def test_an_inner_variable_may_not_shadow_an_outer_one() -> None:
    inner = branch(Assign={"total.$": "$.a"})
    text = machine("A", A={**passing(Assign={"total": 0}), "End": False, "Next": "B"}, B=parallel(inner))

    assert found_in(text) == [
        (
            "DUPLICATE_VARIABLE_NAME",
            "/States/B/Branches[0]/States/Inner/Assign/total.$",
            "The variable name 'total' was already defined in a parent scope.",
        )
    ]


@pytest.mark.parametrize("around", [parallel, mapping])
def test_an_inner_variable_may_have_the_name_of_a_catchers(around: Callable[..., dict[str, Any]]) -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Assign": {"total": 0}, "Next": "There"}]
    inner = branch(Assign={"total": 1})

    assert found_in(one_state(around(inner, Catch=catch))) == []
    (found,) = found_in(one_state(around(inner, Catch=catch, Assign={"total": 2})))
    assert found[0] == "DUPLICATE_VARIABLE_NAME"


def test_sibling_scopes_may_share_a_name() -> None:
    left, right = branch("L", Assign={"x": 1}), branch("R", Assign={"x": 2})

    assert found_in(one_state(parallel(left, right))) == []
