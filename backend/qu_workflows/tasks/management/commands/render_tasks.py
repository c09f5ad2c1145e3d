"""manage.py render_tasks: renders django_tasks.json from the tasks' signatures."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from qu_workflows.protocol.project import registered_project
from qu_workflows.tasks.registry import registered_tasks


def rendered_tasks() -> str:
    """Return the text of ``django_tasks.json``: the tasks of one step, by name."""
    tasks = {
        name: {"parameters": {key: parameter.as_words() for key, parameter in task.entry.parameters.items()}}
        for name, task in registered_tasks().items()
        if task.runs_in_one_step
    }
    return json.dumps(tasks, indent=2) + "\n"


class Command(BaseCommand):
    help = "Render workflows/django_tasks.json, the dispatcher's catalog of Django tasks."
    requires_system_checks: list[str] = []  # one of them is that this command has been run

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="Change nothing; fail if the file differs.")

    def handle(self, *, check: bool, **_options: Any) -> None:
        text = rendered_tasks()
        current = (
            registered_project().django_tasks_file.read_text(encoding="utf-8")
            if registered_project().django_tasks_file.exists()
            else ""
        )
        if text == current:
            self.stdout.write(f"{registered_project().django_tasks_file.name} is as the code has it.")
        elif check:
            raise CommandError(f"{registered_project().django_tasks_file} differs from the code. Run make states.")
        else:
            registered_project().django_tasks_file.write_text(text, encoding="utf-8")
            self.stdout.write(f"{registered_project().django_tasks_file.name} rendered.")
