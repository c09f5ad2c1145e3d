"""The renderer: what lies in state_machines/ is what the graphs say."""

import subprocess
import sys
from pathlib import Path

from workflows import render
from workflows.catalog import WORKFLOWS

ROOT = Path(__file__).parents[2]


def test_the_files_are_what_the_graphs_say() -> None:
    # A process of its own: the stepfunctions SDK warns at import, and nothing else here needs it.
    done = subprocess.run(
        [sys.executable, "-m", "workflows.render", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_file_that_was_edited_by_hand_is_shown_as_a_difference(tmp_path: Path) -> None:
    (tmp_path / "a.asl.json").write_text('{"Comment": "by hand"}\n')

    assert '+{"Comment": "rendered"}' in render.differences({"a.asl.json": '{"Comment": "rendered"}\n'}, tmp_path)


def test_a_file_that_is_missing_or_left_over_is_a_difference(tmp_path: Path) -> None:
    (tmp_path / "gone.asl.json").write_text("{}\n")

    diff = render.differences({"new.asl.json": "[]\n"}, tmp_path)

    assert "-{}" in diff
    assert "+[]" in diff


def test_writing_leaves_no_difference_and_no_machine_of_a_workflow_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "gone.asl.json").write_text("{}\n")
    rendered = {f"{workflow}.asl.json": render.to_text({"StartAt": workflow}) for workflow in WORKFLOWS}

    render.write(rendered, tmp_path)

    assert render.differences(rendered, tmp_path) == ""
    assert not (tmp_path / "gone.asl.json").exists()


def test_a_definition_is_indented_by_two_and_ends_its_last_line() -> None:
    assert render.to_text({"Comment": "año", "States": {}}) == '{\n  "Comment": "año",\n  "States": {}\n}\n'
