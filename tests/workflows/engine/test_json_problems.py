"""Problems of JSON texts in Jackson's words."""

import pytest

from asl_engine.json_problems import problem_of

VALUES = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("abc", f"Unrecognized token 'abc': was expecting {VALUES}", "line: 1, column: 4"),
        ('{"a":\nnul}', f"Unrecognized token 'nul': was expecting {VALUES}", "line: 2, column: 4"),
        ("{a}", "Unexpected character ('a' (code 97)): was expecting double-quote to start field name",
         "line: 1, column: 3"),
        ('{"a":1, }', "Unexpected character ('}' (code 125)): was expecting double-quote to start field name",
         "line: 1, column: 10"),
        ('{"a" 1}', "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value",
         "line: 1, column: 7"),
        ('{"a":[{"]":1} 2]}', "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries",
         "line: 1, column: 16"),
        ('[{"a":1 "b"}]', "Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries",
         "line: 1, column: 10"),
        ("[,]", f"Unexpected character (',' (code 44)): expected a valid value {VALUES}", "line: 1, column: 3"),
        ("[1,", "Unexpected end-of-input", "line: 1, column: 4"),
        ('"a', "Unexpected end-of-input: was expecting closing quote for a string value", "line: 1, column: 3"),
    ],
)  # fmt: skip
def test_a_problem_is_worded_and_located_as_jackson_does(text: str, message: str, place: str) -> None:
    assert problem_of(text) == (message, f'[Source: (String)"{text}"; {place}]')


def test_a_long_text_is_shown_in_part() -> None:
    assert (
        problem_of("[" * 510).location == f'[Source: (String)"{"[" * 500}"[truncated 10 chars]; line: 1, column: 511]'
    )


def test_a_text_that_is_nested_too_deeply_is_a_problem() -> None:
    assert problem_of("[" * 500_000).message


def test_a_number_that_json_does_not_have_is_a_problem() -> None:
    assert "token" in problem_of("NaN").message
