"""manage.py dlq: lists, shows, redrives and purges dead letters."""

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from qu_workflows.dead_letters.judging import (
    ALREADY_STARTED,
    CAN_BE_DISPATCHED,
    RAN_IN_PROCESS,
    DeadLetter,
    Selection,
    reasons,
)
from qu_workflows.dead_letters.queries import (
    NOTHING,
    DeadLetterList,
    RedrivePreview,
    find_dead_letter,
    list_dead_letters,
    preview_purge,
    preview_redrive,
)
from qu_workflows.dead_letters.services import (
    DEFAULT_PER_SECOND,
    MAX_PER_SECOND,
    DeadLetterRedrive,
    DeadLetterResult,
    FileArchive,
    purge,
    redrive,
)
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.audit import command_actor
from qu_workflows.records.json_values import printable
from qu_workflows.records.shutdown import stop_event

LIST_LIMIT = 1000
REPORT_EVERY_SECONDS = 2.0
_IN_WORDS = {
    CAN_BE_DISPATCHED: "can be dispatched now",
    ALREADY_STARTED: "started before: a redrive starts nothing and deletes them",
    RAN_IN_PROCESS: "run in the web process instead",
}
_HELP = """The dead-letter queue: messages that started no execution, and why.

"redrive" moves messages back to the task queue, where the dispatcher starts their executions. Executions that
started and failed are not here: see manage.py executions. Nothing changes without --yes."""


class Command(BaseCommand):
    help = _HELP

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="action", required=True, metavar="list|show|redrive|purge")
        listed = commands.add_parser("list", help="Messages, the oldest first, and their number by reason.")
        listed.add_argument("--task", default="", help="Only messages of this task.")
        listed.add_argument("--reason", default="", choices=reasons(), help="Only messages of this reason.")
        listed.add_argument("--limit", type=int, default=LIST_LIMIT, help=f"Read at most this many ({LIST_LIMIT:,}).")
        listed.add_argument("--json", action="store_true", help="As JSON, with bodies.")
        shown = commands.add_parser("show", help="One message: body, attributes, reason, and what to do.")
        shown.add_argument("id", help="Its message id, or its task's id.")
        shown.add_argument("--json", action="store_true", help="As JSON.")
        redriven = commands.add_parser("redrive", help="Move messages back to the task queue. Preview first.")
        _add_selection(redriven)
        redriven.add_argument(
            "--per-second",
            type=int,
            default=DEFAULT_PER_SECOND,
            help=f"Move at most this many per second: 1 to {MAX_PER_SECOND} ({DEFAULT_PER_SECOND}).",
        )
        redriven.add_argument(
            "--even-rejected", action="store_true", help="Also messages that cannot be dispatched: they come back."
        )
        purged = commands.add_parser("purge", help="Save messages to a file and delete them. Preview first.")
        _add_selection(purged)
        purged.add_argument("--reason", default="", choices=reasons(), help="Messages of this reason.")
        purged.add_argument("--save", type=Path, help="The file for the deleted messages, one JSON line each.")
        for parser in (redriven, purged):
            parser.add_argument("--yes", action="store_true", help="Do it; without, only show a preview.")
            parser.add_argument(
                "--as", default="", dest="actor", help="Your name for the audit table (the system's user)."
            )

    def handle(self, *, action: str, **options: Any) -> None:
        try:
            with stop_event() as stop:
                getattr(self, f"_{action}")(options, stop)
        except OperationRefused as error:
            raise CommandError(str(error), returncode=error.exit_code) from error

    def _list(self, options: dict[str, Any], stop: Event) -> None:
        if options["limit"] < 1:
            raise OperationRefused("--limit", f"is {options['limit']}.", "Give 1 or more.")
        selection = Selection(task=options["task"], reason=options["reason"])
        found = list_dead_letters(options["limit"], stop, selection if options["json"] else NOTHING)
        letters = [letter for letter in found.letters if selection.has(letter)]
        if found.letters and not letters:
            raise OperationRefused(
                options["task"] or options["reason"],
                f"matches none of the {len(found.letters):,} messages read.",
                "Leave it out to see all of them.",
            )
        if options["json"]:
            self.stdout.write(json.dumps([letter.as_json() for letter in letters], indent=2))
            self.stderr.write("".join(_not_shown(found)))
            return
        self._write(_table(letters))
        self._count(found, letters)

    def _show(self, options: dict[str, Any], stop: Event) -> None:
        letter = find_dead_letter(options["id"], stop)
        self._write([json.dumps(letter.as_json(), indent=2)] if options["json"] else _whole(letter))

    def _redrive(self, options: dict[str, Any], stop: Event) -> None:
        wanted = DeadLetterRedrive(
            selection=_selection(options),
            actor=command_actor(options["actor"]),
            per_second=options["per_second"],
            even_rejected=options["even_rejected"],
        )
        if options["yes"]:
            self._report_redrive(redrive(wanted, stop, self._reporting("moved")))
        else:
            preview = preview_redrive(wanted.selection, stop, even_rejected=wanted.even_rejected)
            self._preview_redrive(preview, wanted.per_second)

    def _preview_redrive(self, preview: RedrivePreview, per_second: int) -> None:
        self._count(preview.found, [*preview.moved, *preview.left])
        if not preview.moved and not preview.left:
            return
        how = "by SQS (StartMessageMoveTask)" if preview.by_sqs else "one by one"
        seconds = timedelta(seconds=round(len(preview.moved) / per_second))
        self.stdout.write(
            f"Would move {len(preview.moved):,} to {preview.pair.queue_name}, {how}, at most {per_second} per second"
            f" ({seconds}): {_counts(preview.moved) or 'none can be dispatched'}."
        )
        if not all(letter.is_accepted for letter in preview.moved):
            self.stdout.write("Messages that cannot be dispatched come back after three receives.")
        if preview.left:
            self.stdout.write(
                f"Would leave {len(preview.left):,}: {_counts(preview.left)}. Fix them: manage.py dlq show ID."
            )
        self.stdout.write("Nothing was changed. Repeat with --yes to do it.")

    def _report_redrive(self, moved: DeadLetterResult) -> None:
        about = "about " if moved.by_sqs else ""
        self.stdout.write(f"Moved {about}{moved.count:,} messages to the task queue.")
        if moved.left:
            self.stdout.write(f"Left {moved.left.total():,}: {_in_words(moved.left)}. See manage.py dlq list.")
        if moved.in_both:
            self.stdout.write(
                f"{len(moved.in_both):,} were sent but could not be deleted: they are in both queues, start one"
                " execution each, and can be redriven again."
            )
        _raise_unless_done(moved, "moved", "Run the command again; that is safe.")

    def _purge(self, options: dict[str, Any], stop: Event) -> None:
        selection = _selection(options)
        save_to = options["save"] or settings.LOCAL_DIR / f"purged/dead-letters-{timezone.now():%Y%m%dT%H%M%S%f}.jsonl"
        if not options["yes"]:
            found, chosen = preview_purge(selection, stop)
            self._count(found, chosen)
            self.stdout.write(
                f"Would save {len(chosen):,} to {save_to} and delete them: {_counts(chosen)}.\n"
                "Nothing was changed. Repeat with --yes to do it."
            )
            return
        actor = command_actor(options["actor"])
        purged = purge(selection, FileArchive(save_to), actor, stop, self._reporting("deleted"))
        self.stdout.write(f"Deleted {purged.count:,} messages; they are in {save_to}.")
        _raise_unless_done(purged, "deleted")

    def _write(self, lines: Sequence[str]) -> None:
        self.stdout.writelines(f"{line}\n" for line in lines)

    def _reporting(self, done: str) -> Callable[[DeadLetterResult], None]:
        """Return a function that prints the progress every two seconds."""
        reported_at = time.monotonic()

        def report(result: DeadLetterResult) -> None:
            nonlocal reported_at
            if time.monotonic() - reported_at >= REPORT_EVERY_SECONDS:
                reported_at = time.monotonic()
                self.stdout.write(f"{result.count:,} {done}")
                self.stdout.flush()

        return report

    def _count(self, found: DeadLetterList, letters: Sequence[DeadLetter]) -> None:
        self.stdout.writelines(_not_shown(found))
        if not found.letters and found.is_complete:
            self.stdout.write("The dead-letter queue is empty.")
        for reason, number in Counter(letter.reason for letter in letters).most_common():
            words = f"  {_IN_WORDS[reason]}" if reason in _IN_WORDS else ""
            self.stdout.write(f"{number:>7,}  {reason}{words}")


def _raise_unless_done(result: DeadLetterResult, done: str, *remedy: str) -> None:
    ends = [f"{message_id} was not {done}: {said}." for message_id, said in result.failed.items()]
    if result.missing:
        ends.append(f"{result.missing:,} are no longer in the queue, or another process holds them.")
    if result.error:
        ends.append(f"Ended early: {result.error}.".replace("..", "."))
    if result.was_stopped:
        ends.append("Stopped before the end: the rest are still dead letters.")
    if ends:
        raise CommandError("\n".join([*ends, *remedy]), returncode=1)


def _not_shown(found: DeadLetterList) -> list[str]:
    lines = []
    if len(found.letters) < found.approximate_total:
        lines.append(f"{len(found.letters):,} of about {found.approximate_total:,} messages were read.\n")
    if found.held_by_others:
        lines.append(
            f"About {found.held_by_others:,} more are not shown: other processes hold them until their visibility"
            " timeout ends.\n"
        )
    return lines


def _add_selection(parser: CommandParser) -> None:
    which = parser.add_argument_group("which messages (at least one of these)")
    which.add_argument("--task", default="", help="Messages of this task.")
    which.add_argument(
        "--id", nargs="+", action="extend", default=[], dest="ids", metavar="ID", help="Message ids or task ids."
    )
    which.add_argument("--all", action="store_true", dest="everything", help="Every message.")


def _selection(options: dict[str, Any]) -> Selection:
    selection = Selection(task=options["task"], ids=tuple(options["ids"]), reason=options.get("reason", ""))
    if selection.is_everything and not options["everything"]:
        raise OperationRefused("dlq", "no messages are selected.", "Give --task, --id or --all.")
    if not selection.is_everything and options["everything"]:
        raise OperationRefused("--all", "is given together with a narrower selection.", "Give one of the two.")
    return selection


def _table(letters: Sequence[DeadLetter]) -> list[str]:
    if not letters:
        return []
    width = max(len("TASK"), *(len((letter.task or "-")[:40]) for letter in letters))
    head = f"{'MESSAGE ID':<36}  {'AGE':>8}  {'RECEIVES':>8}  {'TASK':<{width}}  WHY"
    return [head, *(_row(letter, width) for letter in letters)]


def _row(letter: DeadLetter, width: int) -> str:
    why = _IN_WORDS.get(letter.reason, "").partition(":")[0] or f"{letter.reason}: {letter.why}"
    task, why = printable((letter.task or "-")[:40]), printable(why)[:100]
    return f"{letter.message_id:<36}  {_age(letter):>8}  {letter.receive_count:>8}  {task:<{width}}  {why}"


def _age(letter: DeadLetter) -> str:
    seconds = round(letter.age_seconds)
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _whole(letter: DeadLetter) -> list[str]:
    facts = {
        "Message id": letter.message_id,
        "Task": letter.task or "-",
        "Task id": letter.task_id or "-",
        "Task record": letter.record_status or "none",
        "First sent": f"{letter.sent_at:%Y-%m-%d %H:%M:%S} UTC ({_age(letter)} ago)",
        "Receive count": f"{letter.receive_count} (over both queues, including every listing)",
        "Reason": letter.reason,
        "Why": letter.why or "It can be dispatched now.",
        "Remedy": letter.remedy,
    }
    lines = [f"{name + ':':<15}{printable(fact)}" for name, fact in facts.items()]
    attributes = letter.as_json()["message_attributes"] | dict(letter.attributes)
    lines += ["Attributes:", *(f"  {name}: {printable(str(value))}" for name, value in sorted(attributes.items()))]
    return [*lines, "Body:", *_pretty(letter.body)]


def _pretty(body: str) -> list[str]:
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = body
    return [f"  {printable(line)}" for line in text.split("\n")]


def _counts(letters: Sequence[DeadLetter]) -> str:
    return _in_words(Counter(letter.reason for letter in letters))


def _in_words(counts: Counter[str]) -> str:
    return ", ".join(
        f"{number:,} {_IN_WORDS.get(reason, reason).partition(':')[0]}" for reason, number in counts.most_common()
    )
