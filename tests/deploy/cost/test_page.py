"""``costs.md`` is current; a workflow without figures is only listed."""

from pathlib import Path

import pytest

from deploy.cost import __main__ as command
from deploy.cost.figures import SHAPES
from deploy.markdown import fill


def test_the_page_is_current() -> None:
    page = command.PAGE.read_text(encoding="utf-8")

    assert fill(page, command.estimates()) == page, "Run make cost."


def test_every_workflow_of_the_figures_is_estimated() -> None:
    assert {workflow: command.why_not(workflow) for workflow in SHAPES} == dict.fromkeys(SHAPES, "")


def test_a_workflow_without_figures_is_listed_and_changes_no_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = tmp_path / "costs.md"
    page.write_text(command.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    before = command.estimates()
    monkeypatch.setattr(command, "PAGE", page)
    monkeypatch.setattr(command, "workflows", lambda: ["guard_report", "property_audit"])

    command.main()

    listed = "- `property_audit`: figures.toml has no figures of property_audit."
    assert listed in page.read_text(encoding="utf-8")
    assert listed in capsys.readouterr().out
    assert command.estimates() == before


def test_a_workflow_without_a_shape_is_in_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(SHAPES, "run_task")

    assert "run_task" in command.why_not("run_task")
    assert "`run_task`" not in command.estimates()["designs"]
