"""Writes the files of a new workflow or task: ``make workflow`` and ``make task``.

A new workflow runs as it is: its steps pass on what they get. No existing file is changed, but for a task in an app
that has tasks already.
"""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

ROOT = Path(__file__).resolve().parent.parent
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")

CONTRACT = Template('''\
"""The $name workflow: $chain."""

from typing import Annotated

from pydantic import Field

from qu_workflows.protocol.contract import Contract, TaskId
from workflows import errors
from workflows.contracts.tasks import WorkflowTask

TRANSIENT_ERRORS = (errors.DatabaseUnavailable, errors.StorageUnavailable)
FATAL_ERRORS = (errors.PayloadInvalid,)

SubjectId = Annotated[int, Field(strict=True, ge=1)]


class ${pascal}Input(Contract):
    """The payload of the ``$name`` task, and the execution's input."""

    subject_id: SubjectId


TASK = WorkflowTask("$name", "$name", ${pascal}Input)
''')
STEP_CONTRACT = Template('''

class ${step}Input(Contract):
    """Input of "$state"."""

    task_id: TaskId
    subject_id: SubjectId


class ${step}Output(Contract):
    """Output of "$state"."""

    subject_id: SubjectId
''')
GRAPH = Template('''\
"""The $name workflow: $chain."""

from typing import Any

from stepfunctions.steps import Chain  # type: ignore[import-untyped]  # the SDK has no types

from workflows.contracts import $name as contract
from workflows.graphs.asl import LambdaTask, retriers, state_machine


def definition() -> dict[str, Any]:
    """Return the state machine. The execution's output is a ``${last}Output``."""
    retry = retriers(transient=contract.TRANSIENT_ERRORS, permanent=contract.FATAL_ERRORS)
    payload = {"subject_id.$$": "$$.subject_id"}
    chain = Chain(
        [
$states        ]
    )
    return state_machine("$title.", chain, timeout_seconds=3600)
''')
STATE = Template("""\
            LambdaTask("$state", payload=payload, answer=contract.${step}Output, retry=retry),
""")
HANDLER = Template('''\
"""$title, for the "$state" state of $name."""

from lambdas.shared.runtime.needs import StepNeeds
from lambdas.shared.runtime.step import step
from workflows.contracts.$name import ${step}Input, ${step}Output

NEEDS = StepNeeds()


@step(${step}Input)
def lambda_handler(event: ${step}Input) -> ${step}Output:
    """Return the subject. Safe to retry: it only reads."""
    return ${step}Output(subject_id=event.subject_id)
''')
WORKFLOW_TEST = Template('''\
"""The $name workflow, with its steps in this process."""

from collections.abc import Callable

from asl_engine.testing import ScriptedStateMachine
$imports

def test_each_step_runs_in_turn(state_machine: Callable[..., ScriptedStateMachine]) -> None:
    steps = {
$steps    }

    result = state_machine("state_machines/$name.asl.json").run({"subject_id": 1}, steps)

    result.assert_succeeded()
    assert result.path == [$path]
    assert result.output == {"subject_id": 1}
''')
TASK = Template('''

@async_task("$name")
def $name(subject_id: int) -> dict[str, Any]:
    """$title. Safe to retry: it only reads."""
    return {"subject_id": subject_id}
''')
TASK_HEAD = Template('''\
"""The Django tasks of $app."""

from typing import Any

from qu_workflows.tasks.services import async_task
''')
TASK_TEST = Template('''\
"""The task $name."""

from $app.tasks import $name


def test_it_returns_its_subject() -> None:
    assert $name.func(subject_id=1) == {"subject_id": 1}
''')


class ScaffoldRefused(ValueError):
    """A name that cannot be used, or a file that exists."""


def workflow_files(name: str, steps: Sequence[str]) -> dict[str, str]:
    """Return the files of a new workflow, by path. Raises ScaffoldRefused for a bad name."""
    _check(name, *steps)
    if not steps or len(set(steps)) != len(steps) or name in steps:
        raise ScaffoldRefused(f"{name}: give it steps of different names, such as STEPS='list_shifts audit_shift'.")
    of_steps = [{"folder": step, "step": _pascal(step), "state": _state(step), "title": _title(step)} for step in steps]
    fields = {
        "name": name,
        "pascal": _pascal(name),
        "title": _title(name),
        "chain": " -> ".join(it["state"] for it in of_steps),
        "last": of_steps[-1]["step"],
    }
    files = {
        f"workflows/contracts/{name}.py": CONTRACT.substitute(fields)
        + "".join(map(STEP_CONTRACT.substitute, of_steps)),
        f"workflows/graphs/{name}.py": GRAPH.substitute(fields, states="".join(map(STATE.substitute, of_steps))),
        f"tests/workflows/test_{name}.py": _test(fields, of_steps),
    }
    for it in of_steps:
        files[f"lambdas/{it['folder']}/__init__.py"] = f'"""{it["title"]}, for the "{it["state"]}" state."""\n'
        files[f"lambdas/{it['folder']}/handler.py"] = HANDLER.substitute({**fields, **it})
    return files


def task_files(app: str, name: str, root: Path = ROOT) -> dict[str, str]:
    """Return the app's tasks with a new one, and its test. Raises ScaffoldRefused."""
    _check(name)
    if not (root / "backend" / app / "__init__.py").is_file():
        raise ScaffoldRefused(f"backend/{app}: there is no such app. Give one of backend/.")
    fields = {"app": app, "name": name, "title": _title(name)}
    tasks = root / "backend" / app / "tasks.py"
    before = tasks.read_text(encoding="utf-8") if tasks.is_file() else TASK_HEAD.substitute(fields)
    if f'@async_task("{name}")' in before:
        raise ScaffoldRefused(f"backend/{app}/tasks.py: {name} exists. Choose another name.")
    return {
        f"backend/{app}/tasks.py": before + TASK.substitute(fields),
        f"tests/backend/{app}/test_{name}.py": TASK_TEST.substitute(fields),
    }


def write(files: Mapping[str, str], root: Path = ROOT, *, may_replace: Sequence[str] = ()) -> None:
    """Write the files below ``root``. Raises ScaffoldRefused if one exists, and writes none."""
    for path in files:
        if (root / path).exists() and path not in may_replace:
            raise ScaffoldRefused(f"{path}: exists. Choose another name.")
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path}\n")


def _test(fields: Mapping[str, str], of_steps: Sequence[Mapping[str, str]]) -> str:
    imports = "".join(
        f"from lambdas.{it['folder']}.handler import lambda_handler as {it['folder']}\n"
        for it in sorted(of_steps, key=lambda it: it["folder"])
    )
    steps = "".join(f'        "{it["state"]}": lambda event: {it["folder"]}(event, None),\n' for it in of_steps)
    path = ", ".join(f'"{it["state"]}"' for it in of_steps)
    return WORKFLOW_TEST.substitute(fields, imports=imports, steps=steps, path=path)


def _check(*names: str) -> None:
    for name in names:
        if not _NAME.fullmatch(name):
            raise ScaffoldRefused(f"{name!r}: write at least two words in small letters, such as audit_shift.")


def _pascal(name: str) -> str:
    return "".join(map(str.capitalize, name.split("_")))


def _state(name: str) -> str:
    return " ".join(map(str.capitalize, name.split("_")))


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files of a workflow or a task; return 2 if refused."""
    parser = argparse.ArgumentParser(prog="python -m workflows.scaffold", description="Write a workflow or a task.")
    kinds = parser.add_subparsers(dest="kind", required=True)
    workflow = kinds.add_parser("workflow", help="a workflow with steps of its own")
    workflow.add_argument("name")
    workflow.add_argument("steps", nargs="*")
    task = kinds.add_parser("task", help="a task of one step")
    task.add_argument("app")
    task.add_argument("name")
    options = parser.parse_args(arguments)
    try:
        if options.kind == "workflow":
            write(workflow_files(options.name, options.steps))
        else:
            write(task_files(options.app, options.name), may_replace=[f"backend/{options.app}/tasks.py"])
    except ScaffoldRefused as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
