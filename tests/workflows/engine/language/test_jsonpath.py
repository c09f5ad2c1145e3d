"""Paths: values, causes of missing values, and writing of results."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_engine.errors import ExpressionMalformed, StateFailed
from asl_engine.language.jsonpath import CompiledPath, compile_path
from tests.workflows.engine.language.documents import env_of, names, objects, values

DOCUMENT = {
    "a": {"b": 1, "list": [1, 2, 3], "text": "text", "none": None},
    "items": [
        {"price": 5, "kind": "pen", "tags": ["x"]},
        {"price": 15, "kind": "ink"},
        {"price": 8.5, "kind": "pen", "sold": True},
    ],
    "two words": 3,
    "dashed-name": 7,
    "grid": [[1, 2], [3]],
    "limit": 8,
    'back\\slash "quoted"': 4,
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", DOCUMENT),
        ("$.a.b", 1),
        ("$['a']['b']", 1),
        ('$["two words"]', 3),
        ("$.dashed-name", 7),
        ("$.a.list[0]", 1),
        ("$.a.list[-1]", 3),
        ("$.a.list[ 1 ]", 2),
        ("$.a.none", None),
        ("$.grid[0][1]", 2),
        ("$.a.list[7]", None),
        ("$.items[*].price", [5, 15, 8.5]),
        ("$.items.*.price", [5, 15, 8.5]),
        ("$.items[0,2].price", [5, 8.5]),
        ("$.items[1:].price", [15, 8.5]),
        ("$.items[:1].price", [5]),
        ("$.items[-2:].price", [15, 8.5]),
        ("$.items[1:2].price", [15]),
        ("$.grid[*][*]", [1, 2, 3]),
        ("$..price", [5, 15, 8.5]),
        ("$.items..tags[*]", ["x"]),
        ("$..list[1]", [2]),
        ("$['limit','two words']", {"limit": 8, "two words": 3}),
        ("$.items[*]['price','sold']", [{"price": 5}, {"price": 15}, {"price": 8.5, "sold": True}]),
        ("$.a['list','none'][*]", [1, 2, 3]),
        ("$.a.b ", 1),
        (r"""$['back\slash "quoted"']""", 4),
        ("$.items[?(@.kind==ink)].price", [15]),
        ("$.items[?(@.kind != ink && @.sold == true)].price", [8.5]),
        ("$.none_such[*]", []),
        ("$.none_such.deeper[*].x", []),
        ("$.a.b[*]", []),
        ("$.items[?(@.price < 10)].kind", ["pen", "pen"]),
        ("$.items[?(@.price >= 5 && @.kind == 'pen')].price", [5, 8.5]),
        ("$.items[?(@.kind=='ink'||@.price==5)].price", [5, 15]),
        ("$.items[?(@.tags)].price", [5]),
        ("$.items[?(!@.tags)].price", [15, 8.5]),
        ("$.items[?(!(@.price > 6) || @.sold == true)].price", [5, 8.5]),
        ("$.items[?(@.price > $.limit)].price", [15, 8.5]),
        ("$.items[?(@.kind =~ /P.N/i)].price", [5, 8.5]),
        ("$.items[?(@.kind in ['ink', \"other\"])].price", [15]),
        ("$.items[?(@.kind nin ['ink'])].price", [5, 8.5]),
        ("$.items[?(@.tags contains 'x')].price", [5]),
        ("$.items[?(@.kind contains 'in')].price", [15]),
        ("$.items[?(@.tags size 1)].price", [5]),
        ("$.items[?(@.tags empty false)].price", [5]),
        ("$.items[?(@.tags anyof ['x', 'y'])].price", [5]),
        ("$.items[?(@.tags noneof ['y'])].price", [5]),
        ("$.items[?(@.tags subsetof ['y'])].price", []),
        ("$.items[?(@.price != 5)].price", [15, 8.5]),
        ("$.items[?(@.sold == 1)].price", []),
        ("$.items[?(@.kind > 4)].price", []),
        ("$.a[?(@.b)].text", ["text"]),
        ("$[?(@.nope)]", []),
        ("$.a.list.length()", 3),
        ("$.items[*].price.max()", 15),
        ("$.items[*].price.min()", 5),
        ("$.items[*].price.sum()", 28.5),
        ("$.a.list.avg()", 2.0),
        ("$.grid[0].keys()", None),
        ("$.a.keys()", ["b", "list", "text", "none"]),
        ("$$.State.Name", "Here"),
        ("$$", {"State": {"Name": "Here"}}),
        ("$who.name[0]", "one"),
        ("$who", {"name": ["one"]}),
    ],
)
def test_a_path_selects_its_values(path: str, value: Any) -> None:
    assert json.dumps(compile_path(path).evaluate(env_of(DOCUMENT, who={"name": ["one"]}))) == json.dumps(value)


PROVIDER = "This is not a json object according to the JsonProvider: 'com.jayway.jsonpath.spi.json."


@pytest.mark.parametrize(
    ("path", "end"),
    [
        ("$.nope", "No results for path: $['nope']"),
        ("$.a.nope", "No results for path: $['a']['nope']"),
        ("$.nope.deeper", "Missing property in path $['nope']"),
        ("$.items[0].nope", "No results for path: $['items'][0]['nope']"),
        ("$.a.text[0]", 'Filter: [0] can only be applied to arrays. Current context is: "text"'),
        ("$.a.list[7][0]", "The path $['a']['list'][7] is null"),
        ("$.a.list[7].x", f"Expected to find an object with property ['x'] in path $['a']['list'][7] but found 'null'. "
                          f"{PROVIDER}JacksonJsonNodeJsonProvider'."),
        ("$.a.text.x", "Expected to find an object with property ['x'] in path $['a']['text'] but found "
                       f"'com.fasterxml.jackson.databind.node.TextNode'. {PROVIDER}JacksonJsonNodeJsonProvider'."),
        ("$.nope.length()", "No results for path: $['nope']"),
        ("$$.State.Nope", "No results for path: $['State']['Nope']"),
        ("$nothing", "The variable '$nothing' has not been assigned."),
        ("$nothing.name", "The variable '$nothing' has not been assigned."),
    ],
)  # fmt: skip
def test_a_path_without_a_value_says_where_it_ends(path: str, end: str) -> None:
    with pytest.raises(StateFailed) as failure:
        compile_path(path).evaluate(env_of(DOCUMENT))

    assert (failure.value.error, failure.value.cause) == ("States.Runtime", f"Invalid path '{path}' : {end}")
    assert failure.value.headed


@pytest.mark.parametrize(
    ("path", "exists"),
    [("$.a", True), ("$.a.none", True), ("$.nope", False), ("$.a.list[3]", False), ("$.a.list[-3]", True),
     ("$.items[?(@.price > 99)]", False), ("$who", True), ("$nothing", False), ("$$.State", True),
     ("$.a.text[0]", False)],
)  # fmt: skip
def test_a_path_exists_if_it_has_a_value(path: str, exists: bool) -> None:
    assert compile_path(path).exists(env_of(DOCUMENT, who=None)) is exists


@pytest.mark.parametrize(
    ("path", "position"),
    [("", 1), ("a", 1), ("$.", 3), ("$..", 4), ("$[", 3), ("$.a[", 5), ("$.a['b'", 8), ("$.a b", 4), ("$.a.foo()", 10),
     ("$[abc]", 3), ("$[?(@.x=", 8), ("$[?(@.x == )]", 12), ("$[?(@.x =~ x)]", 12), ("$[?(@.x =~ /(/)]", 15),
     ("$[?(@.x == 01)]", 13), ("$[?(x == 1)]", 5), ("$.a ?", 4), (" $.a", 1), ("$.a['b',]", 9)],
)  # fmt: skip
def test_a_malformed_path_is_refused_at_its_character(path: str, position: int) -> None:
    with pytest.raises(ExpressionMalformed, match=rf"cannot be read at character {position}: "):
        compile_path(path)


@pytest.mark.parametrize(
    ("path", "reference", "definite"),
    [("$", True, True), ("$.a[0]['b']", True, True), ("$.a[*]", False, False), ("$.a[0,1]", False, False),
     ("$$.a", False, True), ("$v.a", False, True), ("$.a.length()", False, False)],
)  # fmt: skip
def test_a_reference_path_selects_one_value_of_the_input(path: str, reference: bool, definite: bool) -> None:
    compiled = compile_path(path)

    assert (compiled.is_reference, compiled.is_definite) == (reference, definite)


@pytest.mark.parametrize(
    ("path", "document", "written"),
    [
        ("$", {"a": 1}, "it"),
        ("$.a", {"a": 1, "b": 2}, {"a": "it", "b": 2}),
        ("$.x.y.z", {"a": 1}, {"a": 1, "x": {"y": {"z": "it"}}}),
        ("$.a.c", {"a": {"b": 1}}, {"a": {"b": 1, "c": "it"}}),
        ("$.l[1]", {"l": [1, 2]}, {"l": [1, "it"]}),
        ("$[0].x", [{"y": 1}], [{"y": 1, "x": "it"}]),
    ],
)
def test_a_result_is_written_at_its_path(path: str, document: Any, written: Any) -> None:
    assert compile_path(path).write(document, "it") == written


@pytest.mark.parametrize(
    ("path", "document", "step"),
    [("$.x", "text", '"x" to input "text"'), ("$.a.b", {"a": [1]}, '"b" to input [1]'),
     ("$.l[2]", {"l": [1, 2]}, "2 to input [1,2]"),
     ("$.l[0]", {}, "0 to input {}"), ("$.x", None, '"x" to input null')],
)  # fmt: skip
def test_a_result_without_a_place_is_refused(path: str, document: Any, step: str) -> None:
    with pytest.raises(StateFailed) as failure:
        compile_path(path).write(document, "it")

    assert failure.value.error == "States.ResultPathMatchFailure"
    assert failure.value.cause == f"Unable to apply step {step}"


def path_of(keys: list[str | int]) -> CompiledPath:
    return compile_path("$" + "".join(f"['{key}']" if isinstance(key, str) else f"[{key}]" for key in keys))


@given(objects, st.lists(names, max_size=4), values)
def test_a_written_value_is_read_back(document: Any, keys: list[str | int], value: Any) -> None:
    before, path = copy.deepcopy(document), path_of(keys)

    try:
        written = path.write(document, value)
    except StateFailed as failure:
        assert failure.error == "States.ResultPathMatchFailure"
    else:
        assert path.evaluate(env_of(written)) == value
        assert path.exists(env_of(written))
    assert document == before


@given(values)
def test_every_value_of_a_document_is_found_by_its_own_path(document: Any) -> None:
    def check(node: Any, keys: list[str | int]) -> None:
        assert path_of(keys).evaluate(env_of(document)) == node
        children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, child in children:
            check(child, [*keys, key])

    check(document, [])


@given(objects, st.lists(names | st.integers(-2, 2), min_size=1, max_size=4))
def test_a_path_has_a_value_exactly_if_it_exists(document: Any, keys: list[str | int]) -> None:
    path, env = path_of(keys), env_of(document)

    try:
        value = path.evaluate(env)
    except StateFailed:
        assert not path.exists(env)
    else:
        assert path.exists(env) or value is None  # an element past an array's end is null
