"""``COST.md`` is what the tables say today."""

from pathlib import Path

import pytest

from deploy.cost import __main__ as command
from deploy.cost.document import render
from deploy.cost.figures import MEASURED, PRICES, QUOTAS, SHAPES


def test_the_document_is_current() -> None:
    assert command.FILE.read_text(encoding="utf-8") == render(), "Run make cost."


def test_it_has_every_price_quota_measure_and_workflow() -> None:
    text = render()

    for name in (*PRICES, *MEASURED, *SHAPES):
        assert f"`{name}`" in text, name
    for name, quota in QUOTAS.items():
        assert f"| {name} |" in text, name
        assert quota.source in text


def test_every_row_has_as_many_columns_as_its_table() -> None:
    for block in render().split("\n\n"):
        widths = {line.count("|") for line in block.splitlines() if line.startswith("|")}
        assert len(widths) <= 1, block


def test_make_cost_prints_the_tables_and_writes_the_document(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "deploy").mkdir()
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "FILE", tmp_path / "deploy" / "COST.md")
    command.main()

    printed = capsys.readouterr().out
    assert "guide's single Lambda" in printed
    assert "Which quota stops it first" in printed
    assert command.FILE.read_text(encoding="utf-8") == render()
