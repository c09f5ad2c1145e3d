"""Render the tables of the reference from the code: ``python -m docs.render [--check]``.

A rendered block is between ``<!-- name: … -->`` and ``<!-- /name -->`` of its page.
"""

import argparse
import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from deploy import ROOT
from deploy.markdown import fill, table
from deploy.template.alarms import NAMESPACE, Alarm, Metric, alarms
from deploy.template.cloudformation import read_template
from deploy.template.dashboard import COUNTED
from docs.errors import errors_of, refusals

REFERENCE = ROOT / "docs" / "reference"


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with --check only report those that are not current."""
    parser = argparse.ArgumentParser(prog="python -m docs.render", description="Render the tables of docs/reference.")
    parser.add_argument("--check", action="store_true", help="Write nothing; fail if a page is not current.")
    is_check = parser.parse_args(arguments).check
    _set_up_django()
    old = []
    for name, blocks in PAGES.items():
        page = REFERENCE / f"{name}.md"
        text = page.read_text(encoding="utf-8")
        rendered = fill(text, {block: render() for block, render in blocks.items()})
        if rendered != text:
            old.append(page.relative_to(ROOT))
            if not is_check:
                page.write_text(rendered, encoding="utf-8")
    for page in old:
        sys.stdout.write(f"{page}: is not current. Run make docs.\n" if is_check else f"{page}: written.\n")
    return int(is_check and bool(old))


def _set_up_django() -> None:
    os.environ |= {"DJANGO_SETTINGS_MODULE": "config.settings", "DATABASE_URL": "sqlite://:memory:", "COLUMNS": "110"}
    sys.path.insert(1, str(ROOT / "backend"))
    import django

    django.setup()


def make_targets() -> str:
    """Return the targets of the Makefile and their help."""
    lines = re.findall(r"^([a-z-]+):.*?## (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    return table(("target", "does"), [(f"`make {target}`", text) for target, text in lines])


def management_commands() -> str:
    """Return each command of the project with its help, subcommands and options."""
    from django.core.management import get_commands, load_command_class

    own = sorted(
        (name, app) for name, app in get_commands().items() if (ROOT / "backend").joinpath(*app.split(".")).is_dir()
    )
    parts = []
    for name, app in own:
        parser = load_command_class(app, name).create_parser("manage.py", name)
        parts += [f"### {name}", *_command(parser, f"manage.py {name}", _escaped(parser.description or ""))]
    return "\n\n".join(parts)


def _command(parser: argparse.ArgumentParser, call: str, text: str) -> Iterator[str]:
    yield text
    if rows := list(_options(parser)):
        yield table(("argument", "meaning"), rows)
    for action in parser._actions:  # argparse has no public way to its subcommands
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, sub in action.choices.items():
                yield from _command(sub, f"{call} {name}", f"**`{call} {name}`** {_escaped(helps[name])}")


def _options(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    from django.core.management.base import DjangoHelpFormatter

    formatter = parser._get_formatter()
    for action in parser._actions:
        is_general = set(action.option_strings) & (DjangoHelpFormatter.show_last | {"-h"})
        if is_general or isinstance(action, argparse._SubParsersAction) or action.help == argparse.SUPPRESS:
            continue
        call = formatter._format_action_invocation(action)
        yield f"`{call.replace('|', ' or ')}`", _escaped(formatter._expand_help(action) if action.help else "")


def _escaped(text: str) -> str:
    return re.sub(r"([|<>*])", r"\\\1", text)


def console_urls() -> str:
    """Return the console's URLs with method, permission, and the URL of the JSON."""
    from qu_workflows.console.access import Right, rights_of
    from qu_workflows.console.urls import urlpatterns

    urls = {
        pattern.name: f"`/console/{re.sub(r'<\w+:(\w+)>', r'<\1>', str(pattern.pattern))}`" for pattern in urlpatterns
    }
    rows = []
    for pattern in urlpatterns:
        rights = [f"`{right}`" for right in rights_of(pattern.callback) if right != Right.VIEW]
        if not str(pattern.name).endswith("-json"):
            rows.append(
                (
                    urls[pattern.name],
                    "POST" if rights else "GET",
                    ", ".join(rights),
                    urls.get(f"{pattern.name}-json", ""),
                )
            )
    return table(("URL", "method", "further permission", "as JSON"), rows)


def console_rights() -> str:
    """Return the permissions of the console and their names in the admin."""
    from qu_workflows.console.access import Right
    from qu_workflows.records.models import TaskRecord

    names = {f"{TaskRecord._meta.app_label}.{codename}": name for codename, name in TaskRecord._meta.permissions}
    return table(("permission", "name"), [(f"`{right}`", names[right]) for right in Right])


def messages() -> str:
    """Return one message of each kind, as Django and the schedules write them."""
    from qu_workflows.protocol.message import payload_key_of, write_message, write_scheduled_message
    from workflows.schedules import SCHEDULES

    task_id, at = "01936f3c-8f4e-7a31-9c55-2f0f9d1d2b10", "2026-11-24T12:00:00+00:00"
    written = {
        "A task": write_message(task_id, "process_guard_report", at, {"report_id": 456}),
        "A task whose payload is in S3": write_message(
            task_id, "send_notification_email", at, None, payload_key_of(task_id)
        ),
        "A schedule; EventBridge Scheduler fills in the time": write_scheduled_message(SCHEDULES[0]),
    }
    return "\n\n".join(
        f"{title}:\n\n```json\n{json.dumps(json.loads(body), indent=2)}\n```" for title, body in written.items()
    )


def catalog() -> str:
    """Return the tasks of the catalog with their arguments."""
    from workflows.project import PROJECT

    rows = [
        (
            f"`{entry.task}`",
            f"`{entry.workflow}`",
            ", ".join(
                f"`{name}`" + ("" if is_required else " (optional)")
                for name, is_required in entry.required_by_name.items()
            )
            or "none",
        )
        for entry in sorted(PROJECT.catalog.values(), key=lambda entry: entry.task)
    ]
    return table(("task", "workflow", "payload"), rows)


def alarm_kinds() -> str:
    """Return each kind of alarm: number, condition, metrics; an example of its text."""
    kinds: dict[str, list[Alarm]] = defaultdict(list)
    for alarm in alarms(read_template()):
        kinds[alarm.kind].append(alarm)
    rows = [
        (
            f"[`{kind}`](../how-to/alarms.md#alarm-{kind})",
            len(same),
            same[0].words,
            _condition(same[0]),
            _metrics(same[0]),
        )
        for kind, same in kinds.items()
    ]
    return table(("kind", "alarms", "text of the first", "condition", "metrics"), rows)


def _condition(alarm: Alarm) -> str:
    threshold = f"`{alarm.threshold}`" if isinstance(alarm.threshold, str) else f"{alarm.threshold:,}"
    return f"above {threshold} in {alarm.needed} of {alarm.periods} periods of {alarm.period_seconds} s"


def _metrics(alarm: Alarm) -> str:
    metrics: Sequence[Metric] = tuple(alarm.metrics.values())
    names = ", ".join(f"`{metric.name}`" for metric in metrics)
    return f"`{metrics[0].namespace}` {names} ({metrics[0].statistic})"


def own_metrics() -> str:
    """Return the metrics that the functions count, by graph of the dashboard."""
    return table(
        ("graph", f"metrics in `{NAMESPACE}`"),
        [(graph, ", ".join(f"`{one}`" for one in names)) for graph, names in COUNTED.items()],
    )


PAGES: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "commands": {"make": make_targets, "manage": management_commands},
    "errors": {
        "transient": errors_of("workflows.errors", "TransientError"),
        "permanent": errors_of("workflows.errors", "PermanentError", without="FileRejected"),
        "files": errors_of("workflows.errors", "FileRejected"),
        "messages": errors_of("qu_workflows.protocol.message", "MessageRejected"),
        "refusals": refusals,
    },
    "console": {"urls": console_urls, "rights": console_rights},
    "messages": {"examples": messages, "catalog": catalog},
    "metrics-and-alarms": {"alarms": alarm_kinds, "metrics": own_metrics},
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
