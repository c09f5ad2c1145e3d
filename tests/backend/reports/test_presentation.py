import json
from pathlib import Path

import pytest
from django.utils.translation import override

from reports.presentation import SENTENCES, format_duration, sentence_of
from workflows.contracts.guard_report import FILE_ERRORS

DEFINITION = Path(__file__).parents[3] / "state_machines" / "guard_report.asl.json"


def caught_of_files() -> set[str]:
    states = json.loads(DEFINITION.read_text())["States"]["Process Files"]["ItemProcessor"]["States"]
    catchers = [catcher for state in states.values() for catcher in state.get("Catch", [])]
    return {error for catcher in catchers for error in catcher["ErrorEquals"]}


def test_each_error_of_a_file_has_a_sentence() -> None:
    assert {error.__name__ for error in FILE_ERRORS} <= SENTENCES.keys()
    assert caught_of_files() <= SENTENCES.keys()


@pytest.mark.parametrize("error", [*SENTENCES, "Whatever"])
def test_a_sentence_is_in_the_readers_language(error: str) -> None:
    with override("en"):
        english = sentence_of(error)
    with override("es"):
        assert sentence_of(error) != english
    assert english.endswith(".")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (0.2, "0:01"), (7, "0:07"), (759.6, "12:40"), (3723, "1:02:03")]
)
def test_a_duration_is_formatted_like_in_players(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
