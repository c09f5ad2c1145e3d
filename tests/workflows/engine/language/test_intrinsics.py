"""Intrinsic functions: values, refused arguments, malformed calls."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_engine.errors import ExpressionMalformed, StateFailed
from asl_engine.language.env import Env
from asl_engine.language.intrinsics import compile_intrinsic
from tests.workflows.engine.language.documents import env_of, values

DOCUMENT = {
    "name": "Ann",
    "none": None,
    "list": [1, 2, 3],
    "mixed": [1, 1.0, "1", True, None, {"a": 1}, {"a": 1}, [1], [1]],
    "object": {"a": 1, "b": [True, "x"]},
    "template": "<{}>",
    "csv": "a,b;;c",
    "json": '{"a": [1]}',
}


def call(text: str, document: Any = None) -> Any:
    return compile_intrinsic(text).evaluate(env_of(DOCUMENT if document is None else document, v=5))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("States.Format('plain')", "plain"),
        ("States.Format('Hello {}, {} and {}', $.name, 1.5, null)", "Hello Ann, 1.5 and null"),
        ("States.Format($.template, $v)", "<5>"),
        (r"States.Format('\{\} it\'s \\ {}', true)", "{} it's \\ true"),
        ("States.Format('{} {}', $.object, $.list)", "{a=1, b=[true, x]} [1, 2, 3]"),
        ("States.Format('{}', $$.State.Name)", "Here"),
        ("States.StringToJson($.json)", {"a": [1]}),
        ("States.StringToJson('')", None),
        ("States.StringToJson(' ')", None),
        ("States.JsonToString($.object)", '{"a":1,"b":[true,"x"]}'),
        ("States.JsonToString($.name)", '"Ann"'),
        ("States.JsonToString($.none)", "null"),
        ("States.Array()", []),
        ("States.Array('a', 1, null, true, $.list, -1.5)", ["a", 1, None, True, [1, 2, 3], -1.5]),
        ("States.ArrayPartition($.list, 2)", [[1, 2], [3]]),
        ("States.ArrayPartition($.list, 1.5)", [[1, 2], [3]]),
        ("States.ArrayPartition(States.Array(), 4)", []),
        ("States.ArrayContains($.list, 2)", True),
        ("States.ArrayContains($.list, '2')", False),
        ("States.ArrayContains(States.Array(1), true)", False),
        ("States.ArrayContains(States.Array($.object), $.object)", True),
        ("States.ArrayContains(States.Array(), null)", False),
        ("States.ArrayRange(1, 9, 2)", [1, 3, 5, 7, 9]),
        ("States.ArrayRange(5, 1, -2)", [5, 3, 1]),
        ("States.ArrayRange(5, 1, 1)", []),
        ("States.ArrayRange(0.5, 2.4, 1)", [1, 2]),
        ("States.ArrayGetItem($.list, 2)", 3),
        ("States.ArrayLength($.list)", 3),
        ("States.ArrayLength($.list[*].nope)", 0),
        ("States.ArrayUnique(States.Array(1, 2, 2, 1))", [1, 2]),
        ("States.ArrayUnique($.mixed)", [1, 1.0, "1", True, None, {"a": 1}, [1]]),
        ("States.Base64Encode('Hello Wörld')", "SGVsbG8gV8O2cmxk"),
        ("States.Base64Decode('SGVsbG8gV8O2cmxk')", "Hello Wörld"),
        ("States.Hash('input data', 'MD5')", "812f45842bc6d66ee14572ce20db8e86"),
        ("States.Hash('input data', 'SHA-1')", "aaff4a450a104cd177d28d18d74485e8cae074b7"),
        ("States.Hash('input data', 'SHA-256')", "b4a697a057313163aee33cd8d40c66e9f0f177e00cac2de32475ffff6169c3e3"),
        ("States.Hash($.list, 'MD5')", "f1e46f328e6decd56c64dd5e761dc2b7"),
        ("States.JsonMerge($.object, States.StringToJson($.json), false)", {"a": [1], "b": [True, "x"]}),
        ("States.MathRandom(0, 10, 42)", 7),
        ("States.MathAdd(1, -3)", -2),
        ("States.MathAdd(1.5, 1.4)", 3),
        ("States.MathAdd(-1.5, 0)", -1),
        ("States.StringSplit($.csv, ',;')", ["a", "b", "c"]),
        ("States.StringSplit('a.b', '')", ["a.b"]),
        ("States.StringSplit('Hello\nWorld', '\n')", ["Hello", "World"]),
        ("States.StringSplit('a]b-c', ']-')", ["a", "b", "c"]),
        ("States.MathAdd(States.ArrayLength(States.StringSplit('a-b', '-')), -1)", 1),
        (r"States.Array('\\ \' \{\}')", ["\\ ' {}"]),
        (" States.Array( $['list'][0] , 'a, (b)' ) ", [1, "a, (b)"]),
    ],
)
def test_a_function_returns_its_value(text: str, value: Any) -> None:
    assert json.dumps(call(text)) == json.dumps(value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("States.Format('{} {}', 1)", "The template has 2 places {} for 1 values"),
        ("States.Format($.template)", "The template has 1 places {} for 0 values"),
        ("States.Format($.list)", "The template must be a string, not [1,2,3]"),
        ("States.StringToJson('{')", 'The argument must be the text of a JSON value, not "{"'),
        ("States.ArrayPartition($.list, 0)", "The chunk size must be a positive integer, not 0"),
        ("States.ArrayPartition($.list, 'x')", 'The chunk size must be a number, not "x"'),
        ("States.ArrayLength($.name)", 'The first argument must be an array, not "Ann"'),
        ("States.ArrayRange(1, 5, 0)", "The step must not be 0"),
        ("States.ArrayRange(1, 1001, 1)", "The range must have at most 1000 items, not 1001"),
        ("States.ArrayGetItem($.list, 3)", "The index 3 is out of bounds for an array of 3 items"),
        ("States.ArrayGetItem($.list, -1)", "The index -1 is out of bounds for an array of 3 items"),
        ("States.Base64Decode('not base64!')", "The argument must be the Base64 form of a text in UTF-8"),
        (
            "States.Hash('a', 'SHA256')",
            'The algorithm must be one of MD5, SHA-1, SHA-256, SHA-384, SHA-512, not "SHA256"',
        ),
        ("States.JsonMerge($.object, $.list, false)", "The first two arguments must be objects"),
        (
            "States.JsonMerge($.object, $.object, true)",
            "The third argument must be false: deep merging is not supported",
        ),
        (
            "States.MathAdd(2147483648, 1)",
            "The first argument must be between -2147483648 and 2147483647, not 2147483648",
        ),
        ("States.MathAdd(1, true)", "The second argument must be a number, not true"),
        ("States.MathRandom(5, 5)", "The start must be less than the end"),
        ("States.StringSplit(1, ',')", "The first argument must be a string, not 1"),
    ],
)
def test_a_function_refuses_wrong_arguments(text: str, problem: str) -> None:
    with pytest.raises(StateFailed) as failure:
        call(text)

    assert failure.value.error == "States.IntrinsicFailure"
    assert failure.value.cause == f"The function '{text}' had the following error: {problem}"


@pytest.mark.parametrize("text", ["States.Base64Encode($.it)", "States.Base64Decode($.it)", "States.Hash($.it, 'MD5')"])
def test_a_text_may_have_ten_thousand_characters(text: str) -> None:
    assert call(text, {"it": "A" * 10_000})

    with pytest.raises(StateFailed, match="must have at most 10000 characters, not 10001"):
        call(text, {"it": "A" * 10_001})


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("States.Format('{}',$.nope)", "$.nope"),
        ("States.Format('{} {}', $.other, $.a.b)", "$.a.b"),
        ("States.Format($.nope, 1)", "$.nope"),
        ("States.Format('{}', States.Array($.nope))", "$.nope"),
        ("States.Format('{}', $.list[5])", "$.list[5]"),
        ("States.Format('{}', $$.Nope.Deep)", "$.Nope.Deep"),
    ],
)
def test_a_missing_argument_is_named_with_the_whole_call(text: str, field: str) -> None:
    with pytest.raises(StateFailed) as failure:
        call(text, {"other": 1, "list": [1]})

    assert failure.value.error == "States.Runtime"
    assert failure.value.cause == (
        f"The function '{text}' had the following error: The JsonPath argument for the field '{field}' "
        'could not be found in the input \'{"other":1,"list":[1]}\''
    )


def test_an_element_of_a_number_fails_as_in_the_library() -> None:
    with pytest.raises(StateFailed, match=r"error: Filter: \[0\] can only be applied to arrays. Current context is: 1"):
        call("States.Format('{}', $.other[0])", {"other": 1})


@pytest.mark.parametrize(
    "text",
    ["", "States.", "States.Format", "States.Format(", "States.Format('a'", "States.Format('a',)", "States.Nope()",
     "States.UUID(1)", "States.MathAdd(1)", "States.MathAdd(1, 2, 3)", "States.Array(a)", "States.Array('a)",
     "States.Array(1) x", "States.Array(1.)", "States.Array(01)", "States.Array($.a b)", "States.ArrayLength(nullx)",
     "States.Array(" * 11 + ")" * 11, r"States.Array('\"')", r"States.Array('\n')", r"States.Array('\[')"],
)  # fmt: skip
def test_a_malformed_call_is_refused(text: str) -> None:
    with pytest.raises(ExpressionMalformed, match="cannot be read at character"):
        compile_intrinsic(text)


def test_functions_may_be_nested_ten_deep() -> None:
    value = call("States.Array(" * 10 + ")" * 10)

    assert json.dumps(value) == "[" * 10 + "]" * 10


def test_randomness_comes_from_the_env() -> None:
    env = Env(None, random=lambda: 0.5, uuid=lambda: "an-id")

    assert compile_intrinsic("States.MathRandom(10, 20)").evaluate(env) == 15
    assert compile_intrinsic("States.UUID()").evaluate(env) == "an-id"
    assert compile_intrinsic("States.UUID()").evaluate(Env(None)) != "an-id"


@given(st.integers(-1000, 1000), st.integers(1, 1000), st.floats(0, 1, exclude_max=True))
def test_a_random_number_is_in_its_range(start: int, length: int, drawn: float) -> None:
    env = Env({"from": start, "to": start + length}, random=lambda: drawn)

    assert start <= compile_intrinsic("States.MathRandom($.from, $.to)").evaluate(env) < start + length


@given(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1))
def test_sums_are_exact_within_32_bits(one: int, other: int) -> None:
    assert call("States.MathAdd($.one, $.other)", {"one": one, "other": other}) == one + other


@given(st.lists(values), st.integers(1, 20))
def test_the_chunks_of_an_array_make_up_the_array(array: list[Any], size: int) -> None:
    parts = call("States.ArrayPartition($.array, $.size)", {"array": array, "size": size})

    assert [item for part in parts for item in part] == array
    assert all(len(part) == size for part in parts[:-1])
    assert all(0 < len(part) <= size for part in parts)


@given(st.integers(-500, 500), st.integers(-500, 500), st.integers(-9, 9).filter(bool))
def test_a_range_starts_at_its_start_and_stops_at_its_end(start: int, end: int, step: int) -> None:
    numbers = call("States.ArrayRange($.start, $.end, $.step)", {"start": start, "end": end, "step": step})

    assert all(min(start, end) <= number <= max(start, end) for number in numbers)
    assert all((number - start) % step == 0 for number in numbers)
    assert (start in numbers) == ((end - start) * step >= 0)


@given(values)
def test_a_value_survives_conversion_to_text(value: Any) -> None:
    assert call("States.StringToJson(States.JsonToString($.it))", {"it": value}) == value


@given(st.text(max_size=100))
def test_a_text_survives_base64(text: str) -> None:
    assert call("States.Base64Decode(States.Base64Encode($.it))", {"it": text}) == text


@given(st.lists(values))
def test_each_item_is_kept_once(array: list[Any]) -> None:
    unique = call("States.ArrayUnique($.it)", {"it": array})

    assert len(unique) == len({json.dumps(item, sort_keys=True) for item in array})
    assert call("States.ArrayUnique($.it)", {"it": unique}) == unique
