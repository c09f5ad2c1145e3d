"""Texts and markup of graphs."""

import json
import statistics
import time
from typing import Any

import pytest

from qu_workflows.console.graph import Drawing, StateShown, draw, read_definition
from qu_workflows.console.graph.labels import catcher_words, kind_words, rule_words
from qu_workflows.console.graph.layout import arrange
from qu_workflows.console.graph.text_width import width_of, wrap
from tests.backend.qu_workflows.console.graph.definitions import MACHINES, branches_of, fan_of, line_of

INLINE = ("<script", "style=", "onload", "onclick", "javascript:")


def small(**state: Any) -> dict[str, Any]:
    return {"StartAt": "Here", "States": {"Here": {"Type": "Pass", "End": True, **state}}}


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"Variable": "$.kind", "StringEquals": "pdf"}, "$.kind is pdf"),
        ({"Variable": "$.kind", "StringEquals": "two words"}, '$.kind is "two words"'),
        ({"Variable": "$.n", "NumericLessThanEquals": 3}, "$.n ≤ 3"),
        ({"Variable": "$.n", "NumericGreaterThanPath": "$.most"}, "$.n > $.most"),
        ({"Variable": "$.on", "BooleanEquals": False}, "$.on is false"),
        ({"Variable": "$.x", "IsPresent": False}, "$.x is not present"),
        ({"Variable": "$.x", "StringMatches": "*.jpg"}, "$.x matches *.jpg"),
        ({"Not": {"Variable": "$.x", "IsNull": True}}, "not ($.x is null)"),
        (
            {"Or": [{"Variable": "$.kind", "StringEquals": "image"}, {"Variable": "$.kind", "StringEquals": "pdf"}]},
            "$.kind is image or pdf",
        ),
        (
            {
                "And": [
                    {"Variable": "$.a", "NumericEquals": 1},
                    {"Or": [{"Variable": "$.b", "IsNull": True}, {"Variable": "$.c", "IsString": True}]},
                ]
            },
            "$.a = 1 and ($.b is null or $.c is a string)",
        ),
        ({"Condition": "{%  $states.input.n\n > 3 %}"}, "$states.input.n > 3"),
        ({"Condition": True}, "true"),
        ({"Variable": "$.x", "Unheard": 1}, "$.x ?"),
        ({"And": ["no rule"]}, "? ?"),
    ],
)
def test_a_choice_rule_is_said_in_short_words(rule: dict[str, Any], words: str) -> None:
    assert rule_words(rule) == words


def test_a_catcher_names_its_first_errors_and_counts_the_others() -> None:
    assert catcher_words({"ErrorEquals": ["States.ALL"]}) == "on any error"
    assert catcher_words({"ErrorEquals": ["A", "B"]}) == "on A, B"
    assert catcher_words({"ErrorEquals": ["A", "B", "C", "D", "E"]}) == "on A, B, C and 2 more"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke"}, "Lambda function"),
        ({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:1:function:f"}, "Lambda function"),
        ({"Type": "Task", "Resource": "arn:aws:states:us-east-1:1:activity:a"}, "Activity"),
        (
            {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken"},
            "sqs sendMessage, waits for a callback",
        ),
        (
            {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2"},
            "states startExecution, waits for its end",
        ),
        ({"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:listBuckets"}, "s3 listBuckets"),
        ({"Type": "Wait", "Seconds": 300}, "Wait 5 min"),
        ({"Type": "Wait", "Seconds": 5}, "Wait 5 s"),
        ({"Type": "Wait", "SecondsPath": "$.wait"}, "Wait $.wait"),
        ({"Type": "Wait", "Timestamp": "{% $at %}"}, "Wait until $at"),
        ({"Type": "Map", "MaxConcurrency": 5, "ItemProcessor": {}}, "Map, 5 at a time"),
        ({"Type": "Map", "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}}}, "Distributed Map"),
        ({"Type": "Parallel", "Branches": [{}, {}]}, "Parallel, 2 branches"),
        ({"Type": "Choice"}, "Choice"),
        ({}, "?"),
    ],
)
def test_a_state_says_what_it_is_and_does(state: dict[str, Any], words: str) -> None:
    assert kind_words(state) == words


def test_a_state_says_in_words_what_its_colour_says() -> None:
    drawn = draw(small(), Drawing({"Here": StateShown(status="FAILED", tries=3, seconds=12, runs_again=True)}))

    assert 'aria-label="Here, Failed, 3 attempts, 12.0 s, a redrive runs it again"' in drawn
    assert "✕ Failed · 3 attempts · 12.0 s" in drawn
    assert "↻" in drawn


def test_a_map_of_a_thousand_is_one_box_that_counts_its_iterations() -> None:
    shown = {
        "Process Files": StateShown(status="FAILED", iterations={"SUCCEEDED": 995, "FAILED": 5}),
        "Inspect File": StateShown(status="SUCCEEDED", iterations={"SUCCEEDED": 1000}),
    }

    drawn = draw(MACHINES["guard_report"], Drawing(shown))

    assert "✓ 995 · ✕ 5" in drawn
    assert "995 Succeeded, 5 Failed" in drawn
    assert drawn.count(">Inspect File<") == 1


def test_a_state_without_news_did_not_run_and_one_is_chosen() -> None:
    drawn = draw(MACHINES["guard_report"], Drawing({}, selected="By Kind", href=lambda name: f"?state={name}"))

    assert 'aria-label="Load Report, Not run"' in drawn
    assert 'href="?state=By Kind" aria-label="By Kind, Not run" aria-current="true"' in drawn
    assert drawn.count("aria-current") == 1


def test_edges_say_how_often_they_were_taken_and_are_as_wide() -> None:
    edges = {("By Kind", "Make Thumbnails"): 30, ("By Kind", "Keep Original"): 10, ("Load Report", "Process Files"): 40}

    drawn = draw(MACHINES["guard_report"], Drawing(edges=edges))

    assert "30 × · 75%" in drawn  # noqa: RUF001  the sign for times
    assert "10 × · 25%" in drawn  # noqa: RUF001  the sign for times
    assert 'stroke-width="6.0"' in drawn
    assert "taken 40 times" in drawn
    assert drawn.count(" idle") > 5


def test_the_same_way_by_two_rules_is_one_line_with_both() -> None:
    rules = [{"Variable": "$.a", "IsNull": True, "Next": "There"}, {"Condition": "$b", "Next": "There"}]
    states = {"Here": {"Type": "Choice", "Choices": rules, "Default": "There"}, "There": {"Type": "Succeed"}}

    level = read_definition({"StartAt": "Here", "States": states})

    (way,) = level.all_transitions()
    assert way.labels == ("$.a is null", "$b", "otherwise")


def test_nothing_of_a_definition_becomes_markup() -> None:
    name = '"><script>alert(1)</script>&\x00\ud800'
    choice = {"Type": "Choice", "Choices": [{"Condition": "<img onload=x>", "Next": name}]}

    drawn = draw(
        {"StartAt": name, "States": {name: choice}},
        Drawing({}, href=lambda each: f'?state="{each}', title='"<b>', selected=name),
    )

    assert "<script" not in drawn
    assert "<img" not in drawn
    assert "<b>" not in drawn
    drawn.encode()


@pytest.mark.parametrize("workflow", MACHINES)
def test_nothing_is_inline_so_that_the_policy_lets_it_show(workflow: str) -> None:
    drawn = draw(MACHINES[workflow], Drawing({}, href=lambda name: f"?state={name}", edges={}))

    assert not [each for each in (*INLINE, "<style") if each in drawn]


def test_a_file_of_its_own_brings_its_stylesheet() -> None:
    drawn = draw(MACHINES["guard_report"], Drawing(standalone=True))

    assert drawn.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert ".graph-svg .frame" in drawn
    assert "prefers-color-scheme: dark" in drawn
    assert not [each for each in INLINE if each in drawn]


@pytest.mark.parametrize(
    ("definition", "problem"),
    [
        ({}, "The definition has no states."),
        ([], "The definition has no states."),
        ({"StartAt": "A", "States": {"A": 1}}, "The definition has no states."),
        (small(Next="Bill", End=False), "Here leads to “Bill”, which is not a state beside it."),
        ({"StartAt": "Bill", "States": {}}, "StartAt leads to “Bill”, which is not a state beside it."),
        (small(Type="Map", ItemProcessor=None), "Here has no states."),
        (small(Type="Map", ItemProcessor={"States": []}), "Here has no states."),
    ],
)
def test_a_broken_definition_is_a_sentence(definition: Any, problem: str) -> None:
    drawn = draw(definition)

    assert problem in drawn
    assert 'class="notice notice-warning"' in drawn


def test_a_definition_nested_without_end_is_a_sentence() -> None:
    definition: dict[str, Any] = small()
    for number in range(60):
        inner = definition
        definition = {"StartAt": f"{number}", "States": {f"{number}": {"Type": "Map", "ItemProcessor": inner}}}

    assert "nested too deeply" in draw(definition)


@pytest.mark.parametrize(
    "states",
    [
        {"A": {"Type": "Unheard", "Next": "A"}},
        {"A": {}},
        {"A": {"Type": "Choice", "Choices": "none", "Catch": [1, {"Next": "A"}]}},
        {"A": {"Type": "Parallel", "Branches": {}}, "Unreachable": {"Type": "Wait"}},
    ],
)
def test_what_is_unknown_is_drawn_as_far_as_it_goes(states: dict[str, Any]) -> None:
    drawn = draw({"StartAt": "A", "States": states})

    assert all(f">{name}<" in drawn for name in states)


def test_very_many_ways_are_written_in_place_of_a_thicket_of_lines() -> None:
    drawn = draw(fan_of(40))

    assert "$.x = 0 → Way 0" in drawn
    assert "and 34 more transitions" in drawn
    assert drawn.count('class="line"') < 5


def test_a_long_name_is_wrapped_and_none_of_it_is_lost() -> None:
    name = "W" * 80

    lines = wrap(name, 14, 184)

    assert "".join(lines) == name
    assert all(width_of(line, 14) <= 184 for line in lines)


def test_a_text_that_is_cut_ends_with_an_ellipsis() -> None:
    assert wrap("one two three four", 12, 50, 2)[-1].endswith("…")


@pytest.mark.parametrize("definition", [line_of(199), fan_of(198), branches_of(20)], ids=["line", "fan", "branches"])
def test_two_hundred_states_take_less_than_200_ms(definition: dict[str, Any]) -> None:
    shown = {"State 001": StateShown(status="FAILED", tries=3, seconds=1)}
    taken = []
    for _ in range(7):
        arrange.cache_clear()
        begin = time.process_time()  # its own: what else runs on the machine is not what is asked
        drawn = draw(definition, Drawing(shown, href=lambda name: f"?state={name}", edges={}))
        taken.append(time.process_time() - begin)

    assert drawn.count("<a ") >= 200
    assert statistics.median(taken) < 0.2


def test_a_thicket_of_a_thousand_ways_is_laid_out_in_time() -> None:
    states = {
        str(number): {
            "Type": "Choice",
            "Choices": [{"Condition": "$x", "Next": str((number * 37 + skip * 11) % 250)} for skip in range(4)],
        }
        for number in range(250)
    }
    begin = time.process_time()

    drawn = draw(json.loads(json.dumps({"StartAt": "0", "States": states})))

    assert "<svg" in drawn
    assert time.process_time() - begin < 2
