"""Renders state_machines/*.asl.json from the graphs: ``python -m workflows.render [--check]``.

The stepfunctions SDK is needed for this alone (``uv sync --group authoring``); what runs on AWS and
in the embedded engine is the rendered file.
"""

import argparse
import difflib
import json
import logging
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

STATE_MACHINES = Path(__file__).resolve().parent.parent / "state_machines"


def render_all() -> dict[str, str]:
    """Return the text of each workflow's ASL file, by file name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDK's own, of 2022
        logging.disable(logging.WARNING)  # sagemaker, which the SDK imports, announces its configuration
        try:
            from workflows.graphs import guard_report, notification_email, run_task
        finally:
            logging.disable(logging.NOTSET)
    graphs = {"guard_report": guard_report, "notification_email": notification_email, "run_task": run_task}
    return {f"{workflow}.asl.json": to_text(graph.definition()) for workflow, graph in graphs.items()}


def to_text(definition: Mapping[str, Any]) -> str:
    """Return the one text of a definition: two spaces of indent, a newline at the end."""
    return json.dumps(definition, indent=2, ensure_ascii=False) + "\n"


def differences(rendered: Mapping[str, str], folder: Path) -> str:
    """Return a unified diff from the files in ``folder`` to what was rendered, "" if there is none."""
    names = sorted(rendered.keys() | {path.name for path in folder.glob("*.asl.json")})
    return "".join(_difference(folder / name, rendered.get(name, "")) for name in names)


def _difference(path: Path, wanted: str) -> str:
    there = path.read_text(encoding="utf-8") if path.exists() else ""
    return "".join(
        difflib.unified_diff(
            there.splitlines(keepends=True), wanted.splitlines(keepends=True), path.name, f"{path.name} (rendered)"
        )
    )


def write(rendered: Mapping[str, str], folder: Path) -> None:
    """Write the files, and remove those of workflows that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in {path.name for path in folder.glob("*.asl.json")} - rendered.keys():
        (folder / stale).unlink()
    for name, text in rendered.items():
        (folder / name).write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or with --check return 1 when they differ from the graphs."""
    parser = argparse.ArgumentParser(prog="workflows.render", description="Render the graphs as ASL files.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if a file is out of date")
    parser.add_argument("--folder", type=Path, default=STATE_MACHINES, help="where the files lie")
    options = parser.parse_args(arguments)
    rendered = render_all()
    if not options.check:
        write(rendered, options.folder)
        return 0
    diff = differences(rendered, options.folder)
    if diff:
        sys.stdout.write(f"{diff}\n{options.folder} is out of date. Run make states.\n")
    return 1 if diff else 0


if __name__ == "__main__":
    sys.exit(main())
