"""JSONata: the reference engine's answers, Step Functions' functions, and AWS's limits."""

import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from asl_engine.errors import ExpressionMalformed, StateFailed
from asl_engine.language import jsonata_engine
from asl_engine.language.env import Env
from asl_engine.language.jsonata import compile_jsonata, expect

# The library calls it for a time without a date.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

HERE = Path(__file__).parent
DATA = json.loads((HERE / "jsonata_cases.json").read_text())
CASES = [case for group in DATA["cases"].values() for case in group]

# Answers that differ from the reference engine's, and why.
EXCEPTIONS = {
    "$eval": {"undefined": True},  # Step Functions has no $eval
    "$base64encode('héllo')": {"value": "aMOpbGxv"},  # UTF-8, as the intrinsic function; JavaScript has Latin-1
    "$base64decode('aMOpbGxv')": {"value": "héllo"},
}


def evaluate(expression: str, variables: dict[str, Any] | None = None, **given: Any) -> Any:
    env = Env(None, variables=variables or {}, states={}, **given)
    return compile_jsonata(expression, "Output/it").evaluate(env)


def answer(expression: str, variables: dict[str, Any]) -> dict[str, Any]:
    """Return the outcome of an expression in the form of the cases."""
    try:
        return {"value": evaluate(expression, variables)}
    except StateFailed as failure:
        tail = (failure.cause or "").split("specified for the field 'Output/it' ", 1)[1]
    if tail.startswith("returned nothing"):
        return {"undefined": True}
    if "unsupported result type" in tail:
        return {"function": True}
    return {"error": tail.removeprefix("threw an error during evaluation. ")}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["expression"])
def test_an_expression_gives_the_reference_engines_answer(case: dict[str, Any]) -> None:
    expression, expected = case["expression"], {key: case[key] for key in case if key != "expression"}

    given = answer(expression, DATA["variables"])

    assert json.dumps(given) == json.dumps(EXCEPTIONS.get(expression, expected))


@pytest.mark.slow
def test_the_cases_have_the_reference_engines_answers(tmp_path: Path) -> None:
    subprocess.run(["npm", "pack", "--silent", "jsonata@2.2.2"], cwd=tmp_path, check=True, capture_output=True)
    subprocess.run(["tar", "xzf", "jsonata-2.2.2.tgz"], cwd=tmp_path, check=True)
    question = {"variables": DATA["variables"], "expressions": [case["expression"] for case in CASES]}

    answered = subprocess.run(
        ["node", HERE / "reference.mjs", tmp_path / "package" / "jsonata.js"],
        input=json.dumps(question),
        check=True,
        capture_output=True,
        text=True,
    )

    assert json.loads(answered.stdout) == [{key: case[key] for key in case if key != "expression"} for case in CASES]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$partition([1,2,3,4,5], 2)", [[1, 2], [3, 4], [5]]),
        ("$partition([1,2,3], 9)", [[1, 2, 3]]),
        ("$partition([1,2,3])", [[1, 2, 3]]),
        ("$partition([1,2,3,4,5], 2.9)", [[1, 2], [3, 4], [5]]),
        ("$range(0, 9, 3)", [0, 3, 6, 9]),
        ("$range(0, 10, 3)", [0, 3, 6, 9]),
        ("$range(10, 0, -4)", [10, 6, 2]),
        ("$range(-1.7, 2, 1)", [-1, 0, 1, 2]),
        ("$range(1, 9, 9)", 1),
        ("[$range(1, 9, 9)]", [1]),
        ("$count($range(1, 200000, 1))", 200_000),
        ("$hash('input data', 'MD5')", "812f45842bc6d66ee14572ce20db8e86"),
        ("$hash('input data', 'SHA-1')", "aaff4a450a104cd177d28d18d74485e8cae074b7"),
        ("$hash('ñ', 'MD5')", "94e9342ecbb1458b6043ecd3bfcbc192"),
        ("$random(42)", 0.7275636800328681),
        ("$random(0.9)", 0.730967787376657),
        ("$parse('{\"a\": [1, 2.50, null]}')", {"a": [1, 2.5, None]}),
        ('$parse(\'{"a": {"b": 1}}\').a.b', 1),
        ("$parse('-0')", 0),
        ("$parse('1e2')", 100),
        ("$parse('9223372036854775807')", 9223372036854775807),
        ("$string($parse('9223372036854775808'))", "9223372036854776000"),
        ("$exists($parse('null'))", True),
        ("$map(['1', '2'], $parse)", [1, 2]),
        ("1/0", "Infinity"),
        ("[-1/0]", ["-Infinity"]),
        ("{'not': 0/0}", {"not": "NaN"}),
        ("$parseInteger('abc', '0')", "NaN"),
    ],
)
def test_step_functions_own_functions(expression: str, value: Any) -> None:
    assert evaluate(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        "$parse()",
        "$partition([], 2)",
        "$partition([1], 0)",
        "$partition([1], -0.5)",
        "$range(1, 5, 0)",
        "$range(5, 1, 1)",
        "$range(1, 5)",
        "$hash('a')",
    ],
)
def test_step_functions_own_functions_may_return_nothing(expression: str) -> None:
    assert answer(expression, {}) == {"undefined": True}


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("$partition([1], -1)", "D3137: Second argument must be zero or greater"),
        ("$range(1)", 'T0410: Argument 2 of function "range" does not match function signature'),
        ("$range(0, 4, 1, 2)", 'T0410: Argument 4 of function "range" does not match function signature'),
        ("$hash('a', 5)", 'T0410: Argument 2 of function "hash" does not match function signature'),
        ("$hash('a', 'md5')", "D3137: Unsupported hash algorithm: md5"),
        ("$random(1, 2)", 'T0410: Argument 2 of function "random" does not match function signature'),
        ("$uuid('x')", 'T0410: Argument 1 of function "uuid" does not match function signature'),
        ("$parse(null)", 'T0410: Argument 1 of function "parse" does not match function signature'),
        ("$parse('')", "D3137: Invalid JSON"),
        ('$parse(\'{"a": 1, "a": 2}\')', "D3137: Invalid JSON"),
        ("$parse('1e400')", "D3137: Invalid JSON"),
        ("$parse('NaN')", "D3137: Invalid JSON"),
        ("$eval('1')", "T1006: Attempted to invoke a non-function"),
        ("$string(1/0)", 'D1001: Number out of range: "Infinity"'),
        ("$string(0/0)", "D3001: Attempting to invoke string function on Infinity or NaN"),
    ],
)
def test_an_error_has_the_reference_engines_text(expression: str, error: str) -> None:
    assert answer(expression, {}) == {"error": error}


DOUBLE = "($f := function($s, $n) {{ $n = 0 ? $s : $f($s & $s, $n - 1) }}; $length($f('x', {})))"
RECURSE = "($f := function($x) {{ $x <= 0 ? 0 : 1 + $f($x - 1) }}; $f({}))"


@pytest.mark.parametrize(
    ("most", "more", "end"),
    [
        ("1" + "+1" * 99, "1" + "+1" * 100, "Stack overflow error: Check for non-terminating recursive function."),
        ("(" * 99 + "1" + ")" * 99, "(" * 100 + "1" + ")" * 100, "Stack overflow error"),
        ("1" + "~>$string" * 99, "1" + "~>$string" * 100, "Stack overflow error"),
        (RECURSE.format(31), RECURSE.format(32), "Stack overflow error"),
        (DOUBLE.format(22), DOUBLE.format(23), "Expression evaluation memory limit exceeded: Check for excessive"),
        ("$count([1..873782])", "$count([1..873783])", "Expression evaluation memory limit exceeded"),
        ("$pad('', 6990256)", "$pad('', 6990257)", "Expression evaluation memory limit exceeded"),
        ("$count($range(1, 873782, 1))", "$count($range(1, 873783, 1))", "Expression evaluation memory limit"),
    ],
    ids=["sum", "parentheses", "chain", "recursion", "text", "sequence", "padding", "range"],
)
def test_an_evaluation_ends_at_the_limits_of_aws(most: str, more: str, end: str) -> None:
    evaluate(most)

    with pytest.raises(StateFailed, match=f"threw an error during evaluation: {end}"):
        evaluate(more)


def test_an_endless_loop_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonata_engine, "MAX_SECONDS", 0.05)

    with pytest.raises(StateFailed, match="evaluation: Expression evaluation timeout: Check for infinite loop"):
        evaluate("($f := function($x) { $f($x + 1) }; $f(1))")


def test_a_failure_names_the_expression_and_its_field() -> None:
    with pytest.raises(StateFailed) as failure:
        compile_jsonata("$doesNotExist", "Output/result").evaluate(Env(None))

    assert failure.value.error == "States.QueryEvaluationError"
    assert failure.value.location == "Output/result"
    assert failure.value.headed
    assert failure.value.cause == (
        "The JSONata expression '$doesNotExist' specified for the field 'Output/result' returned nothing (undefined)."
    )


def test_a_value_of_the_wrong_type_is_refused() -> None:
    expression = compile_jsonata("{'foo': 'bar'}", "Items")

    with pytest.raises(StateFailed) as failure:
        expect(expression, expression.evaluate(Env(None)), "array")

    assert failure.value.cause == (
        "The JSONata expression '{'foo': 'bar'}' specified for the field 'Items' returned an unexpected result type. "
        "Expected 'array', but was 'object' for value: {\"foo\":\"bar\"}"
    )


@pytest.mark.parametrize(
    ("value", "kind"),
    [(None, "null"), (True, "boolean"), (1.5, "number"), ("a", "string"), ([], "array"), ({}, "object")],
)
def test_a_value_of_the_right_type_is_returned(value: Any, kind: str) -> None:
    assert expect(compile_jsonata("$it", "Items"), value, kind) == value


def test_states_and_variables_are_readable() -> None:
    states = {"input": {"n": 1}, "context": {"State": {"Name": "Here"}}, "result": [1.0]}
    env = Env(None, variables={"v": None}, states=states)

    def given(text: str) -> Any:
        return compile_jsonata(text, "Output").evaluate(env)

    assert given("$states.input.n + 1") == 2
    assert given("$states.context.State.Name") == "Here"
    assert given("$states") == states
    assert given("$states.*[0]") == {"n": 1}
    assert given("$v") is None
    assert given("[$v, $states.result]") == [None, 1]
    with pytest.raises(StateFailed, match="returned nothing"):
        given("$states.errorOutput")


def test_randomness_comes_from_the_env() -> None:
    draws = iter([0.25, 0.75])

    value = evaluate("[$random(), $random(), $uuid()]", random=lambda: next(draws), uuid=lambda: "an-id")

    assert value == [0.25, 0.75, "an-id"]


def test_the_time_comes_from_the_env() -> None:
    assert evaluate("[$millis(), $now()]", now_ms=1_510_067_557_121) == [1_510_067_557_121, "2017-11-07T15:12:37.121Z"]


def test_an_evaluation_does_not_change_its_input() -> None:
    document = {"a": [None, {"b": 1.0}], "c": {"d": None}}
    before = json.dumps(document)

    evaluate("$it ~> |c|{'d': 1}, ['e']|", {"it": document})
    evaluate("$append($it.a, 1)", {"it": document})

    assert json.dumps(document) == before


def test_threads_may_share_an_expression() -> None:
    text = "($twice := function($x) { $x * 2 }; $sum($map($it, $twice)) & $substringBefore(?, '-')('a-b'))"
    expression, answers = compile_jsonata(text, "Output"), []

    def work(start: int) -> None:
        for number in range(start, start + 40):
            value = expression.evaluate(Env(None, variables={"it": [number, 1]}))
            answers.append(value == f"{number * 2 + 2}a")

    threads = [threading.Thread(target=work, args=(start,)) for start in (0, 100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [True] * 160


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a[1,2)", 'Expected "]", got ","'),
        ('"unterminated', "String literal must be terminated by a matching quote"),
        ("1 +", "Unexpected end of expression"),
        ('{"a":}', 'The symbol "}" cannot be used as a unary operator'),
        ('$match("a", /abc', "No terminating / in regular expression"),
        ("/* no end", "string index out of range"),
    ],
)
def test_a_malformed_expression_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ExpressionMalformed) as malformed:
        compile_jsonata(text, "Output")

    assert malformed.value.problem == problem


def test_the_library_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer("$it(1)", {"it": "a"}) == {"error": "T1006: Attempted to invoke a non-function"}
    assert capsys.readouterr().out == ""
