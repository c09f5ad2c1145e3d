"""Renders the deployed files from the code: ``python -m workflows.render [--check]``.

``state_machines/*.asl.json`` and ``workflows/workflow_timeouts.json`` from the graphs, ``workflow_tasks.json`` from the
contracts, the schedules of ``deploy/template.yaml`` from ``workflows.schedules``. Needs the stepfunctions SDK
(``uv sync --group authoring``).
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-scheduler-schedule.html
"""

import argparse
import difflib
import json
import logging
import re
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from qu_workflows.protocol.catalog import ANY, CatalogEntry, Parameter, read_tasks
from qu_workflows.protocol.message import write_scheduled_message
from qu_workflows.protocol.schedule import Schedule
from qu_workflows.schedules.problems import problems_of_all
from workflows.contracts.tasks import WorkflowTask, workflow_tasks
from workflows.project import PROJECT
from workflows.schedules import SCHEDULES

ROOT = Path(__file__).resolve().parent.parent
STATE_MACHINES = "state_machines/{}.asl.json"
WORKFLOW_TASKS_FILE = "workflows/workflow_tasks.json"
TIMEOUTS_FILE = "workflows/workflow_timeouts.json"

# Keywords of JSON Schema, and their names in qu_workflows.protocol.catalog.
_WORDS = {
    "type": "type",
    "minimum": "minimum",
    "maximum": "maximum",
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
}
_WITHOUT_EFFECT = frozenset({"title", "description", "default"})

TEMPLATE_FILE = "deploy/template.yaml"
BEGIN = "  # ---- Schedules of tasks, rendered from workflows/schedules.py: make states ----\n"
END = "  # ---- End of the schedules of tasks ----\n"
GROUP = """
  Schedules:
    Type: AWS::Scheduler::ScheduleGroup
    Properties:
      Name: !Sub "${Prefix}-${Stage}-schedules"
"""
SCHEDULE = """
  {logical_id}:
    Type: AWS::Scheduler::Schedule
    Properties:
      Name: "{name}"
      GroupName: !Ref Schedules
      Description: {description}
      ScheduleExpression: {expression}
      ScheduleExpressionTimezone: {time_zone}
      FlexibleTimeWindow: {window}
      State: !Ref SchedulesState
      Target:
        Arn: !GetAtt TasksQueue.Arn
        RoleArn: !GetAtt SchedulerRole.Arn
        Input: {message}
        RetryPolicy: {{ MaximumRetryAttempts: {attempts}, MaximumEventAgeInSeconds: {age_seconds} }}
        DeadLetterConfig: {{ Arn: !GetAtt {dead_letter_queue}.Arn }}
"""
# Characters that YAML would fold or refuse.
_NOT_PRINTABLE = re.compile(r"[^ -~]")


class RegionMissing(ValueError):
    """The template does not have exactly one region for the schedules."""

    def __str__(self) -> str:
        problem = f"{TEMPLATE_FILE}: does not have exactly one region for the schedules."
        return f"{problem} Put these two lines among its resources:\n{BEGIN}{END}".rstrip()


def render_all() -> dict[str, str]:
    """Return the text of each rendered file by its path from the root. Raises RegionMissing."""
    definitions = _definitions()
    machines = {STATE_MACHINES.format(workflow): to_text(machine) for workflow, machine in definitions.items()}
    timeouts = {workflow: definition["TimeoutSeconds"] for workflow, definition in sorted(definitions.items())}
    template = with_schedules((ROOT / TEMPLATE_FILE).read_text(encoding="utf-8"), SCHEDULES)
    return {
        **machines,
        WORKFLOW_TASKS_FILE: to_text(tasks_of(workflow_tasks())),
        TIMEOUTS_FILE: to_text(timeouts),
        TEMPLATE_FILE: template,
    }


def tasks_to_schedule() -> dict[str, CatalogEntry]:
    """Return the catalog that schedules are validated against, with the current contracts."""
    django_tasks = read_tasks(PROJECT.django_tasks_file.read_text(encoding="utf-8"))
    return django_tasks | read_tasks(to_text(tasks_of(workflow_tasks())))


def _definitions() -> dict[str, Mapping[str, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the SDK
        logging.disable(logging.WARNING)  # sagemaker, which the SDK imports, logs its configuration
        try:
            names = sorted(path.stem for path in (ROOT / "workflows" / "graphs").glob("*.py"))
            modules = {name: import_module(f"workflows.graphs.{name}") for name in names if name != "__init__"}
        finally:
            logging.disable(logging.NOTSET)
    return {name: module.definition() for name, module in modules.items() if hasattr(module, "definition")}


def tasks_of(workflow_tasks: Iterable[WorkflowTask]) -> dict[str, Any]:
    """Return the content of ``workflow_tasks.json``. Raises ValueError as ``parameters_of`` does."""
    return {
        task.task: {
            "workflow": task.workflow,
            "by_reference": task.by_reference,
            "parameters": parameters_of(task.payload),
        }
        for task in workflow_tasks
    }


def parameters_of(contract: type[BaseModel]) -> dict[str, dict[str, Any]]:
    """Return a contract's fields as parameters. Raises ValueError for an unsupported keyword."""
    schema = contract.model_json_schema()
    return {
        name: _parameter(f"{contract.__name__}.{name}", field, required=name in schema.get("required", []))
        for name, field in schema["properties"].items()
    }


def _parameter(where: str, field: Mapping[str, Any], *, required: bool) -> dict[str, Any]:
    free_object = {"additionalProperties"} if field.get("additionalProperties") is True else set()
    unknown = field.keys() - _WORDS.keys() - _WITHOUT_EFFECT - free_object
    if unknown:
        raise ValueError(f"{where}: {', '.join(sorted(unknown))} is not supported by protocol.catalog. Add it there.")
    words = {word: field[keyword] for keyword, word in _WORDS.items() if keyword in field}
    return Parameter(**{"type": ANY, "required": required, **words}).as_words()


def with_schedules(template: str, schedules: Iterable[Schedule]) -> str:
    """Return a template with the schedules in their region.

    The template is edited as text, to keep its comments and short forms. Raises RegionMissing.
    """
    before, begin, rest = template.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in after or END in before + after:
        raise RegionMissing
    return before + begin + GROUP + "".join(map(_resource, schedules)) + "\n" + end + after


def logical_id_of(name: str) -> str:
    """Return the logical id of a schedule's resource: send_outbox is SendOutboxSchedule."""
    return "".join(word.capitalize() for word in name.split("_")) + "Schedule"


def _resource(schedule: Schedule) -> str:
    minutes = schedule.flexible_window_minutes
    return SCHEDULE.format(
        logical_id=logical_id_of(schedule.name),
        name=schedule.name,
        description=_quoted(schedule.description),
        expression=_quoted(schedule.expression),
        time_zone=_quoted(schedule.time_zone),
        # Unquoted, YAML reads OFF as false.
        window=f"{{ Mode: FLEXIBLE, MaximumWindowInMinutes: {minutes} }}" if minutes else '{ Mode: "OFF" }',
        message=_single_quoted(write_scheduled_message(schedule)),
        attempts=schedule.retry_policy.maximum_retry_attempts,
        age_seconds=schedule.retry_policy.maximum_event_age_seconds,
        dead_letter_queue=schedule.dead_letter_queue,
    )


def _quoted(text: str) -> str:
    """Return a double-quoted YAML string, escaped to ASCII."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + _NOT_PRINTABLE.sub(lambda match: f"\\U{ord(match[0]):08x}", escaped) + '"'


def _single_quoted(text: str) -> str:
    """Return JSON as a single-quoted YAML string, escaped to ASCII."""
    escaped = _NOT_PRINTABLE.sub(lambda match: json.dumps(match[0])[1:-1].replace("\x7f", "\\u007f"), text)
    return "'" + escaped.replace("'", "''") + "'"


def to_text(content: Mapping[str, Any]) -> str:
    """Return a rendered file as JSON with an indent of two and a final newline."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def differences(rendered: Mapping[str, str], root: Path) -> str:
    """Return a unified diff from files below ``root`` to rendered ones, "" if equal."""
    names = sorted(rendered.keys() | _stale(rendered, root))
    return "".join(_difference(root, name, rendered.get(name, "")) for name in names)


def _difference(root: Path, name: str, wanted: str) -> str:
    path = root / name
    there = path.read_text(encoding="utf-8") if path.exists() else ""
    before, after = there.splitlines(keepends=True), wanted.splitlines(keepends=True)
    return "".join(difflib.unified_diff(before, after, name, f"{name} (rendered)"))


def _stale(rendered: Mapping[str, str], root: Path) -> set[str]:
    """Return the state machines of removed workflows."""
    return {path.relative_to(root).as_posix() for path in root.glob(STATE_MACHINES.format("*"))} - rendered.keys()


def write(rendered: Mapping[str, str], root: Path) -> None:
    """Write the files below ``root``, and delete the state machines of removed workflows."""
    for stale in _stale(rendered, root):
        (root / stale).unlink()
    for name, text in rendered.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files. Return 2 for an invalid schedule, with --check 1 for differences."""
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
