"""The renderer: the files that run are what the code says."""

import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

from qu_workflows.protocol.contract import Contract
from workflows import render
from workflows.project import PROJECT

ROOT = Path(__file__).parents[2]


def test_the_files_are_what_the_code_says() -> None:
    # A process of its own: the stepfunctions SDK warns at import, and nothing else here needs it.
    done = subprocess.run(
        [sys.executable, "-m", "workflows.render", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_file_that_was_edited_by_hand_is_shown_as_a_difference(tmp_path: Path) -> None:
    (tmp_path / "tasks.json").write_text('{"Comment": "by hand"}\n')

    assert '+{"Comment": "rendered"}' in render.differences({"tasks.json": '{"Comment": "rendered"}\n'}, tmp_path)


def test_a_machine_that_is_missing_or_left_over_is_a_difference(tmp_path: Path) -> None:
    (tmp_path / "state_machines").mkdir()
    (tmp_path / "state_machines" / "gone.asl.json").write_text("{}\n")

    diff = render.differences({"state_machines/new.asl.json": "[]\n"}, tmp_path)

    assert "-{}" in diff
    assert "+[]" in diff


def test_writing_leaves_no_difference_and_no_machine_of_a_workflow_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "state_machines" / "gone.asl.json"
    gone.parent.mkdir()
    gone.write_text("{}\n")
    rendered = {
        f"state_machines/{workflow}.asl.json": render.to_text({"StartAt": workflow}) for workflow in PROJECT.workflows
    }

    render.write(rendered, tmp_path)

    assert render.differences(rendered, tmp_path) == ""
    assert not gone.exists()


def test_a_file_is_indented_by_two_and_ends_its_last_line() -> None:
    assert render.to_text({"Comment": "año", "States": {}}) == '{\n  "Comment": "año",\n  "States": {}\n}\n'


def test_a_contract_says_nothing_that_the_rendered_file_could_not() -> None:
    class Choosy(Contract):
        color: Literal["red", "green"]

    with pytest.raises(ValueError, match=r"Choosy\.color: enum has no word"):
        render.parameters_of(Choosy)
