"""manage.py dlq: what could not be dispatched, why, and what to do about it."""

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

from qu_workflows.dead_letters.messages import (
    ALREADY_STARTED,
    CAN_BE_DISPATCHED,
    RAN_IN_PROCESS,
    DeadLetter,
    Reading,
    Selection,
    find,
    read,
    reasons,
)
from qu_workflows.dead_letters.moving import DEFAULT_PER_SECOND, MAX_PER_SECOND, Moved, Order, Preview, preview, redrive
from qu_workflows.dead_letters.purging import Purged, PurgeOrder, as_json, default_file, preview_purge, purge
from qu_workflows.executions.wording import printable
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.audit import command_actor
from qu_workflows.records.shutdown import stop_event

LIST_LIMIT = 1000
TOLD_EVERY_SECONDS = 2.0
_IN_WORDS = {
    CAN_BE_DISPATCHED: "can be dispatched now",
    ALREADY_STARTED: "started before: moved back, they start nothing and are gone",
    RAN_IN_PROCESS: "run in the web process instead",
}
_HELP = """The dead-letter queue: messages that started no execution, and why.

A message in it has started nothing: "redrive" moves it back to the task queue, where the dispatcher starts its
execution. What was started and failed is not here: see manage.py executions. Nothing changes without --yes."""


class Command(BaseCommand):
    help = _HELP

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="action", required=True, metavar="list|show|redrive|purge")
        self._add_list(
            commands.add_parser("list", help="What is in it, the oldest first, and how many of each reason.")
        )
        shown = commands.add_parser("show", help="One message, whole: body, attributes, why, and what to do.")
        shown.add_argument("id", help="Its message id, or its task's id.")
        shown.add_argument("--json", action="store_true", help="As JSON.")
        self._add_redrive(commands.add_parser("redrive", help="Move messages back to the task queue. Preview first."))
        self._add_purge(commands.add_parser("purge", help="Save messages to a file and delete them. Preview first."))

    def handle(self, *, action: str, **options: Any) -> None:
        try:
            with stop_event() as stop:
                getattr(self, f"_{action}")(options, stop)
        except OperationRefused as error:
            raise CommandError(str(error), returncode=error.exit_code) from error

    def _add_list(self, parser: CommandParser) -> None:
        parser.add_argument("--task", default="", help="Only messages of this task.")
        parser.add_argument("--reason", default="", choices=reasons(), help="Only messages of this reason.")
        parser.add_argument("--limit", type=int, default=LIST_LIMIT, help=f"Read at most so many ({LIST_LIMIT:,}).")
        parser.add_argument("--json", action="store_true", help="As JSON, with bodies.")

    def _add_redrive(self, parser: CommandParser) -> None:
        _add_selection(parser)
        parser.add_argument(
            "--per-second",
            type=int,
            default=DEFAULT_PER_SECOND,
            help=f"Move at most so many a second: 1 to {MAX_PER_SECOND} ({DEFAULT_PER_SECOND}).",
        )
        parser.add_argument(
            "--even-rejected", action="store_true", help="Also what can not be dispatched: it will come back."
        )
        _add_act(parser)

    def _add_purge(self, parser: CommandParser) -> None:
        _add_selection(parser)
        parser.add_argument("--reason", default="", choices=reasons(), help="Messages of this reason.")
        parser.add_argument("--save", type=Path, help="The file for what is deleted, one JSON line each.")
        _add_act(parser)

    def _list(self, options: dict[str, Any], stop: Event) -> None:
        if options["limit"] < 1:
            raise OperationRefused("--limit", f"is {options['limit']}.", "Give 1 or more.")
        selection = Selection(task=options["task"], reason=options["reason"])
        reading = read(options["limit"], stop, selection.has if options["json"] else lambda _letter: False)
        letters = [letter for letter in reading.letters if selection.has(letter)]
        if reading.letters and not letters:
            raise OperationRefused(
                options["task"] or options["reason"],
                f"matches none of the {len(reading.letters):,} messages read.",
                "Leave it out to see them all.",
            )
        if options["json"]:
            self.stdout.write(json.dumps([as_json(letter) for letter in letters], indent=2))
            self.stderr.write("".join(_what_is_not_there(reading)))
            return
        self.stdout.writelines(f"{line}\n" for line in _table(letters))
        self._count(reading, letters)

    def _show(self, options: dict[str, Any], stop: Event) -> None:
        letter = find(options["id"], stop=stop)
        if options["json"]:
            self.stdout.write(json.dumps(as_json(letter), indent=2))
            return
        self.stdout.writelines(f"{line}\n" for line in _whole(letter))

    def _redrive(self, options: dict[str, Any], stop: Event) -> None:
        order = Order(
            selection=_selection(options),
            actor=command_actor(options["actor"]),
            per_second=options["per_second"],
            even_rejected=options["even_rejected"],
        )
        if not options["yes"]:
            self._preview_redrive(order, preview(order, stop))
            return
        moved = redrive(order, stop, self._telling("moved", lambda moved: moved.count))
        self._report(moved)

    def _preview_redrive(self, order: Order, seen: Preview) -> None:
        self._count(seen.reading, [*seen.moved, *seen.left])
        if not seen.moved and not seen.left:
            return
        how = "by SQS itself (StartMessageMoveTask)" if seen.by_sqs else "one by one"
        seconds = timedelta(seconds=round(len(seen.moved) / order.per_second))
        self.stdout.write(
            f"Would move {len(seen.moved):,} to {seen.pair.queue_name}, {how}, at most {order.per_second} a second"
            f" ({seconds}): {_counts(seen.moved) or 'none can be dispatched'}."
        )
        if order.even_rejected and any(not letter.is_taken for letter in seen.moved):
            self.stdout.write("What can not be dispatched will come back after three receives.")
        if seen.left:
            self.stdout.write(
                f"Would leave {len(seen.left):,}: {_counts(seen.left)}. Mend them: manage.py dlq show ID."
            )
        self.stdout.write("Nothing was changed. Give --yes to do it.")

    def _report(self, moved: Moved) -> None:
        about = "about " if moved.by_sqs else ""
        self.stdout.write(f"Moved {about}{moved.count:,} messages to the task queue.")
        if moved.left:
            self.stdout.write(f"Left {moved.left.total():,}: {_in_words(moved.left)}. See manage.py dlq list.")
        if moved.in_both:
            self.stdout.write(
                f"{len(moved.in_both):,} were sent and could not be deleted: they are in both queues, start one"
                " execution each, and can be redriven again."
            )
        ends = [f"{message_id} was not moved: {said}." for message_id, said in moved.failed.items()]
        if moved.missing:
            ends.append(f"{moved.missing:,} were not there any more, or somebody else has received them.")
        if moved.error:
            ends.append(f"Ended early: {moved.error}.".replace("..", "."))
        if moved.was_stopped:
            ends.append("Stopped before the end: the rest are dead letters as before.")
        if ends:
            raise CommandError("\n".join([*ends, "Run it again; it is safe to."]), returncode=1)

    def _purge(self, options: dict[str, Any], stop: Event) -> None:
        selection = _selection(options)
        save_to = options["save"] or default_file(settings.LOCAL_DIR / "purged")
        if not options["yes"]:
            reading, meant = preview_purge(selection, stop)
            self._count(reading, meant)
            self.stdout.write(
                f"Would save {len(meant):,} to {save_to} and delete them: {_counts(meant)}.\n"
                "Nothing was changed. Give --yes to do it."
            )
            return
        order = PurgeOrder(selection=selection, actor=command_actor(options["actor"]), save_to=save_to)
        purged = purge(order, stop, self._telling("deleted", lambda purged: purged.count))
        self.stdout.write(f"Deleted {purged.count:,} messages; they are in {save_to}.")
        self._end_of_purge(purged)

    def _end_of_purge(self, purged: Purged) -> None:
        ends = [f"{message_id} was not deleted: {said}." for message_id, said in purged.failed.items()]
        if purged.missing:
            ends.append(f"{purged.missing:,} were not there any more, or somebody else has received them.")
        if purged.error and not purged.failed:
            ends.append(f"Ended early: {purged.error}.".replace("..", "."))
        if purged.was_stopped:
            ends.append("Stopped before the end: the rest are dead letters as before.")
        if ends:
            raise CommandError("\n".join(ends), returncode=1)

    def _telling[Done](self, what: str, count: Callable[[Done], int]) -> Callable[[Done], None]:
        """Return what prints how many were done, every two seconds."""
        told_at = time.monotonic()

        def tell(done: Done) -> None:
            nonlocal told_at
            if time.monotonic() - told_at >= TOLD_EVERY_SECONDS:
                told_at = time.monotonic()
                self.stdout.write(f"{count(done):,} {what}")
                self.stdout.flush()

        return tell

    def _count(self, reading: Reading, letters: Sequence[DeadLetter]) -> None:
        self.stdout.writelines(_what_is_not_there(reading))
        if not reading.letters and reading.is_complete:
            self.stdout.write("The dead-letter queue is empty.")
        for reason, number in Counter(letter.reason for letter in letters).most_common():
            words = f"  {_IN_WORDS[reason]}" if reason in _IN_WORDS else ""
            self.stdout.write(f"{number:>7,}  {reason}{words}")


def _what_is_not_there(reading: Reading) -> list[str]:
    """Return what a reading does not show, a line each."""
    lines = []
    if len(reading.letters) < reading.approximate_total:
        lines.append(f"{len(reading.letters):,} of about {reading.approximate_total:,} messages were read.\n")
    if reading.held_by_others:
        lines.append(
            f"About {reading.held_by_others:,} more are not shown: somebody else has received them, and they come"
            " back after their visibility timeout.\n"
        )
    return lines


def _add_selection(parser: CommandParser) -> None:
    which = parser.add_argument_group("which messages (one of these at least)")
    which.add_argument("--task", default="", help="Messages of this task.")
    which.add_argument(
        "--id", nargs="+", action="extend", default=[], dest="ids", metavar="ID", help="Message ids or task ids."
    )
    which.add_argument("--all", action="store_true", dest="everything", help="Every message.")


def _add_act(parser: CommandParser) -> None:
    parser.add_argument("--yes", action="store_true", help="Do it; without, only say what would be done.")
    parser.add_argument("--as", default="", dest="actor", help="Who does it, for the audit table (the system's user).")


def _selection(options: dict[str, Any]) -> Selection:
    selection = Selection(task=options["task"], ids=tuple(options["ids"]), reason=options.get("reason", ""))
    if selection.is_everything and not options["everything"]:
        raise OperationRefused("dlq", "is not told which messages.", "Give --task, --id or --all.")
    if not selection.is_everything and options["everything"]:
        raise OperationRefused("--all", "stands beside a narrower choice.", "Give one of the two.")
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
        "Receive count": f"{letter.receive_count} (over all queues: the dispatcher's receives and every look since)",
        "Reason": letter.reason,
        "Why": letter.why or "It can be dispatched now.",
        "Remedy": letter.remedy,
    }
    lines = [f"{name + ':':<15}{printable(fact)}" for name, fact in facts.items()]
    attributes = as_json(letter)["message_attributes"] | dict(letter.attributes)
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
