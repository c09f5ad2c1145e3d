"""Pages of Markdown whose tables are filled in."""

import pytest

from deploy.markdown import fill, table

PAGE = "Prose.\n\n<!-- prices: written by make cost -->\nold\n<!-- /prices -->\n\nMore prose.\n"


def test_a_table_has_a_header_rule_and_thousands_separators() -> None:
    assert table(("what", "of"), [("one", 1_234_567), (2.5, "12345")]).splitlines() == [
        "| what | of |",
        "|---|---|",
        "| one | 1,234,567 |",
        "| 2.5 | 12345 |",
    ]


def test_a_block_replaces_what_is_between_its_marks_and_nothing_else() -> None:
    filled = fill(PAGE, {"prices": r"new \1"})

    assert filled == PAGE.replace("old", "\nnew \\1\n")
    assert fill(filled, {"prices": r"new \1"}) == filled


@pytest.mark.parametrize("page", ["Prose.", PAGE + PAGE])
def test_a_block_without_marks_or_with_two_pairs_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="pairs of marks for prices"):
        fill(page, {"prices": "new"})
