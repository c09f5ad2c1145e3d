"""The command line of the engine.

::

    asl-engine run FILE.asl.json --input '{"report_id": 1}' [--tasks package.module:mapping]
    asl-engine serve --port 8083 --db FILE [--skippable]

``run`` prints the history while it runs. It exits with 0 for SUCCEEDED, 1 for FAILED, 3 for TIMED_OUT, 4 for
ABORTED, and 2 with a message if it cannot start. ``serve`` exits with 0 at SIGTERM or SIGINT.
"""

import argparse
import os
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from asl_engine.adapters.functions import Function
from asl_engine.definition.diagnostics import DefinitionRefused
from asl_engine.errors import EngineError
from asl_engine.jsontext import Json, dumps, loads

if TYPE_CHECKING:
    from asl_engine.core.history import HistoryEvent
    from asl_engine.store import Store

EXIT_CODES = {"SUCCEEDED": 0, "FAILED": 1, "TIMED_OUT": 3, "ABORTED": 4}
_SHOWN_CHARACTERS = 160
CANNOT_BEGIN = 2


class CommandRefused(EngineError):
    """The command line is invalid."""


def _text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise CommandRefused(str(path), f"cannot be read: {reason}.") from None


def _input_of(option: str) -> Json:
    text = _text_of(Path(option[1:])) if option.startswith("@") else option
    try:
        return loads(text)
    except ValueError as error:
        raise CommandRefused(
            "--input", f"invalid JSON: {error}.", "Give JSON, or @FILE with the name of a JSON file."
        ) from None


def _tasks_of(option: str | None) -> Mapping[str, Function]:
    if option is None:
        return {}
    module_name, _, attribute = option.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        tasks: Json = getattr(import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise CommandRefused(f"--tasks {option}", f"{error}.", "Give a mapping as package.module:mapping.") from None
    if not isinstance(tasks, Mapping):
        remedy = "Map each Resource or function name to a function."
        raise CommandRefused(f"--tasks {option}", "not a mapping.", remedy)
    return tasks


def _run(options: argparse.Namespace) -> int:
    from asl_engine.adapters.registry import Registry
    from asl_engine.errors import ExecutionStalled
    from asl_engine.in_process import run

    definition, given = _text_of(options.file), _input_of(options.input)
    performer = Registry(_tasks_of(options.tasks))
    try:
        result = run(definition, given, performer=performer, on_event=_print_event)
    except DefinitionRefused as refused:
        problems = "\n".join(f"  {problem}" for problem in refused.diagnostics)
        raise CommandRefused(str(options.file), f"the definition is invalid:\n{problems}") from None
    except ExecutionStalled as stalled:
        print(stalled, file=sys.stderr)  # noqa: T201  the command's output
        return EXIT_CODES["FAILED"]
    failure = ": ".join(filter(None, (result.error, result.cause)))
    print(f"{result.status}  {dumps(result.output) if result.status == 'SUCCEEDED' else failure}".rstrip())  # noqa: T201
    return EXIT_CODES[result.status]


def _print_event(event: "HistoryEvent") -> None:
    name = event.details.get("name", "")
    details = ", ".join(f"{key}: {_shown(value)}" for key, value in event.details.items() if key != "name")
    print(f"{event.id:>5}  {event.type:<26} {name:<24} {details}".rstrip())  # noqa: T201  the command's output


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else dumps(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _serve(options: argparse.Namespace) -> int:
    from asl_engine.clock import SkippableClock
    from asl_engine.server.serve import serve_until_stopped
    from asl_engine.server.validation import Account

    def ready(host: str, port: int) -> None:
        where = options.db or "in memory: lost when this process ends"
        print(f"Step Functions on http://{host}:{port} ({where})", flush=True)  # noqa: T201  the command's output

    try:
        serve_until_stopped(
            _store_of(options.db),
            host=options.host,
            port=options.port,
            account=Account(options.region, options.account),
            events_source=options.status_events,
            ready=ready,
            clock=SkippableClock() if options.skippable else None,
            names=options.allow_host,
        )
    except OSError as error:
        reason = os.strerror(error.errno) if isinstance(error.errno, int) and error.errno > 0 else str(error)
        address = f"{options.host}:{options.port}"
        raise CommandRefused(address, f"cannot listen: {reason}.", "Choose another --port or --host.") from None
    return 0


def _store_of(database: Path | None) -> "Store":
    from asl_engine.server.serve import open_store

    try:
        return open_store(database)
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CommandRefused(
            str(database), f"cannot be used: {reason}.", "Give a file that this user can write."
        ) from None


def _port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port. Give a number from 0 to 65535.")
    return port


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="asl-engine", description="AWS Step Functions on one machine.")
    commands = parser.add_subparsers(required=True, metavar="run | serve")
    run = commands.add_parser("run", help="run one definition to its end and print its history")
    run.add_argument("file", type=Path, metavar="FILE", help="the definition, an .asl.json file")
    run.add_argument("--input", default="{}", metavar="JSON|@FILE", help="the execution's input (default {})")
    run.add_argument("--tasks", metavar="MODULE:MAPPING", help="functions that perform tasks, by Resource or name")
    run.set_defaults(command=_run)
    serve = commands.add_parser("serve", help="serve the Step Functions API until SIGTERM or SIGINT")
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen on (default 127.0.0.1)")
    serve.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="a name with which clients may call it"
    )
    serve.add_argument("--port", type=_port, default=8083, help="the port, 0 for any free one (default 8083)")
    serve.add_argument("--db", type=Path, metavar="FILE", help="the SQLite database (default: in memory)")
    serve.add_argument(
        "--region", default="us-east-1", help="the region of requests without credentials (default us-east-1)"
    )
    serve.add_argument(
        "--account",
        default="000000000000",
        help="the account, unless the access key is an account number (default 000000000000)",
    )
    serve.add_argument(
        "--status-events",
        metavar="SOURCE",
        help="put status change events with this source (AWS: aws.states) on the default event bus",
    )
    serve.add_argument(
        "--skippable", action="store_true", help="enable the operation SkipTime, which moves the time forward in tests"
    )
    serve.set_defaults(command=_serve)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.command(options)
    except EngineError as problem:
        print(problem, file=sys.stderr)  # noqa: T201  the command's output
        return CANNOT_BEGIN
    return code


if __name__ == "__main__":
    sys.exit(main())
