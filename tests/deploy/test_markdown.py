"""Tables of Markdown."""

from deploy.markdown import table


def test_a_table_has_a_line_of_dashes_below_its_head_and_commas_in_whole_numbers() -> None:
    assert list(table(("what", "of"), [("one", 1_234_567), (2.5, "12345")])) == [
        "| what | of |",
        "|---|---|",
        "| one | 1,234,567 |",
        "| 2.5 | 12345 |",
    ]


def test_a_table_without_rows_is_its_head() -> None:
    assert list(table(("what",), [])) == ["| what |", "|---|"]
