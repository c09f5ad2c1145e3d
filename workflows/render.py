"""Renders what the code says into the files that run: ``python -m workflows.render [--check]``.

``state_machines/*.asl.json`` from the graphs, ``workflows/workflow_tasks.json`` from the contracts, the schedules
of ``deploy/template.yaml`` from ``workflows.schedules``. Exit code 2, and nothing written, while a schedule is wrong.
The stepfunctions SDK is needed for this alone (``uv sync --group authoring``).
"""

import argparse
import difflib
import json
import logging
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from qu_workflows.protocol.catalog import CatalogEntry, read_tasks
from qu_workflows.protocol.parameters import ANY, Parameter
from qu_workflows.schedules.problems import problems_of_all
from workflows.contracts.tasks import WORKFLOW_TASKS, WorkflowTask
from workflows.project import PROJECT
from workflows.render_schedules import TEMPLATE_FILE, RegionMissing, with_schedules
from workflows.schedules import SCHEDULES

ROOT = Path(__file__).resolve().parent.parent
STATE_MACHINES = "state_machines/{}.asl.json"
WORKFLOW_TASKS_FILE = "workflows/workflow_tasks.json"

# JSON Schema's keywords, in the words of qu_workflows.protocol.parameters.
_WORDS = {
    "type": "type",
    "minimum": "minimum",
    "maximum": "maximum",
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
}
_WITHOUT_EFFECT = frozenset({"title", "description", "default"})


def render_all() -> dict[str, str]:
    """Return the text of each rendered file, by its path from the root."""
    machines = {STATE_MACHINES.format(workflow): to_text(machine) for workflow, machine in _definitions().items()}
    template = with_schedules((ROOT / TEMPLATE_FILE).read_text(encoding="utf-8"), SCHEDULES)
    return {**machines, WORKFLOW_TASKS_FILE: to_text(tasks_of(WORKFLOW_TASKS)), TEMPLATE_FILE: template}


def tasks_to_schedule() -> dict[str, CatalogEntry]:
    """Return the catalog that the schedules are held against: with the contracts as they are, not as last rendered."""
    django_tasks = read_tasks(PROJECT.django_tasks_file.read_text(encoding="utf-8"))
    return django_tasks | read_tasks(to_text(tasks_of(WORKFLOW_TASKS)))


def _definitions() -> dict[str, Mapping[str, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDK's own, of 2022
        logging.disable(logging.WARNING)  # sagemaker, which the SDK imports, announces its configuration
        try:
            graphs = {workflow: import_module(f"workflows.graphs.{workflow}") for workflow in PROJECT.timeout_seconds}
        finally:
            logging.disable(logging.NOTSET)
    return {workflow: graph.definition() for workflow, graph in graphs.items()}


def tasks_of(workflow_tasks: Iterable[WorkflowTask]) -> dict[str, Any]:
    """Return the content of ``workflow_tasks.json``.

    Raises ValueError for a contract that says what ``qu_workflows.protocol.parameters`` has no word for.
    """
    return {
        task.task: {
            "workflow": task.workflow,
            "by_reference": task.by_reference,
            "parameters": parameters_of(task.payload),
        }
        for task in workflow_tasks
    }


def parameters_of(contract: type[BaseModel]) -> dict[str, dict[str, Any]]:
    """Return a contract's fields as parameters. Raises ValueError as ``tasks_of`` does."""
    schema = contract.model_json_schema()
    return {
        name: _parameter(f"{contract.__name__}.{name}", field, required=name in schema.get("required", []))
        for name, field in schema["properties"].items()
    }


def _parameter(where: str, field: Mapping[str, Any], *, required: bool) -> dict[str, Any]:
    free_object = {"additionalProperties"} if field.get("additionalProperties") is True else set()
    unknown = field.keys() - _WORDS.keys() - _WITHOUT_EFFECT - free_object
    if unknown:
        raise ValueError(f"{where}: {', '.join(sorted(unknown))} has no word in protocol.parameters. Add it there.")
    words = {word: field[keyword] for keyword, word in _WORDS.items() if keyword in field}
    return Parameter(**{"type": ANY, "required": required, **words}).as_words()


def to_text(content: Mapping[str, Any]) -> str:
    """Return the one text of a rendered file: two spaces of indent, a newline at the end."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def differences(rendered: Mapping[str, str], root: Path) -> str:
    """Return a unified diff from the files below ``root`` to what was rendered, "" if there is none."""
    names = sorted(rendered.keys() | _stale(rendered, root))
    return "".join(_difference(root, name, rendered.get(name, "")) for name in names)


def _difference(root: Path, name: str, wanted: str) -> str:
    path = root / name
    there = path.read_text(encoding="utf-8") if path.exists() else ""
    before, after = there.splitlines(keepends=True), wanted.splitlines(keepends=True)
    return "".join(difflib.unified_diff(before, after, name, f"{name} (rendered)"))


def _stale(rendered: Mapping[str, str], root: Path) -> set[str]:
    """Return the state machines that no workflow renders any more."""
    return {path.relative_to(root).as_posix() for path in root.glob(STATE_MACHINES.format("*"))} - rendered.keys()


def write(rendered: Mapping[str, str], root: Path) -> None:
    """Write the files below ``root``, and remove the state machines of workflows that are gone."""
    for stale in _stale(rendered, root):
        (root / stale).unlink()
    for name, text in rendered.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or with --check return 1 when they differ from the code; 2 when a schedule is wrong."""
    parser = argparse.ArgumentParser(prog="workflows.render", description="Render the graphs and the contracts.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if a file is out of date")
    options = parser.parse_args(arguments)
    problems = problems_of_all(SCHEDULES, tasks_to_schedule())
    if problems:
        return _refuse(problems)
    try:
        rendered = render_all()
    except RegionMissing as error:
        return _refuse([str(error)])
    if not options.check:
        write(rendered, ROOT)
        return 0
    diff = differences(rendered, ROOT)
    if diff:
        sys.stdout.write(f"{diff}\nThese files are out of date. Run make states.\n")
    return 1 if diff else 0


def _refuse(problems: Iterable[str]) -> int:
    sys.stderr.write("".join(f"{problem}\n" for problem in problems))
    return 2


if __name__ == "__main__":
    sys.exit(main())
