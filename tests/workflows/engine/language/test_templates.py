"""Payload templates of both languages."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given

from asl_engine.errors import ExpressionMalformed, StateFailed
from asl_engine.language.env import Env
from asl_engine.language.jsonata import JsonataExpression
from asl_engine.language.templates import compile_template, is_jsonata
from tests.workflows.engine.language.documents import env_of, objects, values

DOCUMENT = {"a": {"b": 1}, "name": "Ann"}


def fill(template: Any, document: Any = None, *, jsonata: bool = False) -> Any:
    document = DOCUMENT if document is None else document
    env = Env(document, {"State": {"Name": "Here"}}, {"v": [1]}, {"input": document})
    return compile_template(template, jsonata, "Parameters").evaluate(env)


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ({"x.$": "$.a.b", "y": "$.a.b", "z": [1, {"w.$": "$"}]}, {"x": 1, "y": "$.a.b", "z": [1, {"w": DOCUMENT}]}),
        ({"x.$": "$$.State.Name", "y.$": "$v[0]", "z.$": "States.Format('Hi {}', $.name)"},
         {"x": "Here", "y": 1, "z": "Hi Ann"}),
        ({"deep": {"er": {"x.$": "$.name"}}}, {"deep": {"er": {"x": "Ann"}}}),
        ({"x.$": "$.list[5]"}, {"x": None}),
        ({"Comment": "kept", "comment": "too"}, {"Comment": "kept", "comment": "too"}),
        ({"text": "{% 1 %}"}, {"text": "{% 1 %}"}),
        ({}, {}),
        ([], []),
    ],
)  # fmt: skip
def test_a_jsonpath_template_is_filled(template: Any, value: Any) -> None:
    assert fill(template, {**DOCUMENT, "list": []} if "list" in str(template) else None) == value


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{% $states.input.a.b %}", 1),
        ("{%$v%}", [1]),
        ({"x": "{% $states.input.a.b + 1 %}", "y": ["{% $v %}", " {% $v %} ", "$.a", None]},
         {"x": 2, "y": [[1], " {% $v %} ", "$.a", None]}),
        ({"x.$": "$.a"}, {"x.$": "$.a"}),
        (True, True),
        (None, None),
        ("text", "text"),
    ],
)  # fmt: skip
def test_a_jsonata_template_is_filled(template: Any, value: Any) -> None:
    assert fill(template, jsonata=True) == value


def test_fields_keep_their_order() -> None:
    assert list(fill({"c.$": "$.name", "a": 1, "b.$": "$.a"})) == ["c", "a", "b"]


def test_a_path_without_a_value_names_its_field_and_the_input() -> None:
    with pytest.raises(StateFailed) as failure:
        fill({"deep": {"address.$": "$.application.address"}}, {"flagged": False})

    assert failure.value.error == "States.Runtime"
    assert failure.value.headed
    assert failure.value.cause == (
        "The JSONPath '$.application.address' specified for the field 'address.$' could not be found in the input "
        "'{\"flagged\":false}'"
    )


def test_a_path_into_the_context_object_names_the_context_object() -> None:
    with pytest.raises(StateFailed, match=r"""could not be found in the input '{"State":{"Name":"Here"}}'"""):
        fill({"x.$": "$$.State.Nope"})


@pytest.mark.parametrize(
    ("template", "where"),
    [({"a": {"b": "{% $no %}"}}, "Parameters/a/b"), ({"a": [1, "{% $no %}"]}, "Parameters/a[1]"),
     (["{% $no %}"], "Parameters[0]"), ("{% $no %}", "Parameters")],
)  # fmt: skip
def test_a_failing_expression_names_its_place(template: Any, where: str) -> None:
    with pytest.raises(StateFailed) as failure:
        fill(template, jsonata=True)

    assert failure.value.location == where
    assert f"specified for the field '{where}' returned nothing" in str(failure.value)


@pytest.mark.parametrize("value", [1, None, {"x.$": "$.a"}, "text", "$.a b", "States.Nope()"])
def test_a_dynamic_field_needs_a_path_or_a_function(value: Any) -> None:
    with pytest.raises(ExpressionMalformed):
        compile_template({"a.$": value}, jsonata=False, where="Parameters")


def test_a_template_of_one_expression_is_a_jsonata_expression() -> None:
    expression = compile_template("{% $v %}", jsonata=True, where="Items")

    assert isinstance(expression, JsonataExpression)
    assert (expression.text, expression.where) == ("$v", "Items")


@pytest.mark.parametrize(
    ("value", "is_one"),
    [("{% 1 %}", True), ("{%%}", True), ("{%}", False), (" {% 1 %}", False), ("{% 1 %} ", False), (1, False)],
)
def test_an_expression_is_the_whole_text(value: Any, is_one: bool) -> None:
    assert is_jsonata(value) is is_one


@given(values)
def test_a_constant_template_returns_the_same_object(value: Any) -> None:
    for jsonata in (True, False):
        template = compile_template(value, jsonata, "Result")

        assert template.evaluate(env_of({})) is value


@given(objects)
def test_filling_changes_neither_the_template_nor_the_input(document: dict[str, Any]) -> None:
    template = {"all.$": "$", "constant": document, "list": [document, {"copy.$": "$"}]}
    before = copy.deepcopy(template)

    filled = fill(template, document)

    assert filled == {"all": document, "constant": document, "list": [document, {"copy": document}]}
    assert template == before
    assert json.dumps(fill(template, document)) == json.dumps(filled)
