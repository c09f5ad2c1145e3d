"""The page of one task and its execution, masked, as the JSON twin has it.

The record has the task's status; Step Functions, through ``executions.queries.snapshot_of``, the history.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from qu_workflows.console.charts.timeline import Scale, TimelineBar, bar_of, scale_of
from qu_workflows.console.formatting import number_in
from qu_workflows.console.hooks import registered_hooks
from qu_workflows.console.masking import mask, masked_row
from qu_workflows.console.pages.state_entries import (
    EntryKey,
    Listed,
    StateDetails,
    cause_words,
    details_shown,
    find_entry,
    keys_of,
    not_run,
    place_of,
)
from qu_workflows.executions import queries
from qu_workflows.executions.queries import ExecutionSnapshot, History, StateEntry, StateOutcome, TaskRow
from qu_workflows.records.models import WAITING, TaskRecord, TaskStatus

VIEWS = ("table", "events", "input")
ROWS_PER_PAGE = 100
MAX_EVENTS = 25_000
_RUNNING_BUCKET_SECONDS = 10  # how often a running execution's durations are redrawn without a new event


@dataclass(frozen=True, kw_only=True)
class ExecutionQuery:
    """The query parameters of the page. An invalid value counts as missing."""

    view: str = "table"
    state: str = ""
    iteration: str | None = None
    entry: int | None = None
    page: int = 1
    picks_page: int = 1
    only_problems: bool = False
    logs: bool = False

    @classmethod
    def of(cls, given: QueryDict) -> "ExecutionQuery":
        """Read the query of an address."""
        return cls(
            view=given.get("view", "") if given.get("view") in VIEWS else VIEWS[0],
            state=given.get("state", ""),
            iteration=given.get("iteration"),
            entry=number_in(given.get("entry", "")),
            page=max(1, number_in(given.get("page", "")) or 1),
            picks_page=max(1, number_in(given.get("picks", "")) or 1),
            only_problems=given.get("only") == "problems",
            logs=bool(given.get("logs")),
        )

    @property
    def parameters(self) -> dict[str, str]:
        """The same as query parameters, without page numbers and logs."""
        given = {
            "view": self.view if self.view != VIEWS[0] else "",
            "state": self.state,
            "iteration": self.iteration or "",
            "entry": "" if self.entry is None else str(self.entry),
            "only": "problems" if self.only_problems else "",
        }
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True)
class Head:
    """The task, its attempts and the status of its execution."""

    task: TaskRow
    status: str
    status_note: str
    subject: str
    sent_at: datetime | None
    send_attempts: int
    last_send_error: str
    error: str
    cause: str
    cause_words: str
    attempt: int
    attempts: tuple[TaskRow, ...]
    execution_arn: str
    version_arn: str
    events: int | None
    ran_in_process: bool
    advice: tuple[str, ...]
    aws_console_url: str
    trace_url: str
    map_run_url: str


@dataclass(frozen=True)
class Act:
    """An action, or in ``why_not`` why it is not possible."""

    possible: bool
    why_not: str


@dataclass(frozen=True)
class Acts:
    """The actions on the execution. ``redrive_token`` makes a second click do nothing."""

    redrive: Act
    stop: Act
    restart: Act
    redrive_token: str
    runs_again: tuple[str, ...]
    redrivable_until: datetime | None
    restart_id: str
    restart_repeats_success: bool


@dataclass(frozen=True)
class EntryRow:
    """A state entry as a row of the table."""

    name: str
    place: str
    depth: int
    kind: str
    status: str
    tries: int
    redrives: int
    entered_at: datetime
    seconds: float
    error: str
    key: EntryKey
    bar: TimelineBar
    current: bool


@dataclass(frozen=True)
class EventRow:
    """An event as a row; ``details`` is masked JSON."""

    id: int
    previous_id: int
    at: datetime
    after_seconds: float
    type: str
    state: str
    key: EntryKey | None
    details: Any


@dataclass(frozen=True)
class ExecutionShown:
    """The whole page. ``view`` says which of ``table``, ``events`` and ``input`` is filled."""

    head: Head
    acts: Acts
    is_live: bool
    as_of: datetime | None
    unanswered: str
    notes: tuple[str, ...]
    selected: StateDetails | None
    view: str
    table: Listed[EntryRow] | None
    events: Listed[EventRow] | None
    input: Any
    output: Any
    log: queries.StepLog | None = None


def shown(record: TaskRecord, snapshot: ExecutionSnapshot, query: ExecutionQuery, now: datetime) -> ExecutionShown:
    """Return the content of a task's page."""
    history = snapshot.history
    attempts = queries.attempts_of(record)
    entry = find_entry(history, query.state, query.iteration, query.entry) if history else None
    input_, output = _input_and_output(record, history) if query.view == "input" else (None, None)
    return ExecutionShown(
        head=_head(record, attempts, snapshot, now),
        acts=_acts(record, attempts, snapshot, now),
        is_live=is_live(record, snapshot),
        as_of=snapshot.as_of,
        unanswered=mask(snapshot.unanswered),
        notes=_notes(record, snapshot),
        selected=_selected(snapshot, entry, query, now),
        view=query.view,
        table=_table(history, query, now, entry) if history and query.view == "table" else None,
        events=_events(history, query.page) if history and query.view == "events" else None,
        input=input_,
        output=output,
    )


def is_live(record: TaskRecord, snapshot: ExecutionSnapshot) -> bool:
    """Return whether the page is expected to change soon."""
    if record.status in (*WAITING, TaskStatus.RUNNING):
        return True
    return snapshot.history is not None and snapshot.history.status == TaskStatus.RUNNING


def mark_of(record: TaskRecord, snapshot: ExecutionSnapshot, now: datetime) -> str:
    """Return a mark that changes when the content of the page does."""
    running = int(now.timestamp()) // _RUNNING_BUCKET_SECONDS if is_live(record, snapshot) and snapshot.history else 0
    events = len(snapshot.history.events) if snapshot.history else -1
    parts = (record.status, record.redrive_count, record.finished_at, events, bool(snapshot.unanswered), running)
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:16]


def acts_mark_of(record: TaskRecord, snapshot: ExecutionSnapshot) -> str:
    """Return a mark that changes when the possible actions do.

    Until then the forms stay, with a reason that is being typed.
    """
    status = snapshot.history.status if snapshot.history else ""
    return f"{record.status}-{record.redrive_count}-{status}-{int(bool(snapshot.unanswered))}"


def _table(history: History, query: ExecutionQuery, now: datetime, current: StateEntry | None) -> Listed[EntryRow]:
    scale = scale_of(history, now)
    chosen = [
        (entry, key)
        for entry, key in zip(history.entries, keys_of(history), strict=True)
        if not query.only_problems or entry.outcome is not StateOutcome.SUCCEEDED or entry.tries > 1
    ]
    return Listed.of(
        chosen,
        query.page,
        ROWS_PER_PAGE,
        lambda each: _entry_row(history, *each, scale, now, is_current=each[0] is current),
    )


def _entry_row(
    history: History, entry: StateEntry, key: EntryKey, scale: Scale, now: datetime, *, is_current: bool
) -> EntryRow:
    return EntryRow(
        name=entry.name,
        place=place_of(entry),
        depth=min(len(entry.place), 4),
        kind=entry.kind,
        status=entry.outcome.name,
        tries=entry.tries,
        redrives=entry.redrives,
        entered_at=entry.entered_at,
        seconds=entry.seconds(now),
        error=mask(entry.error),
        key=key,
        bar=bar_of(entry, queries.attempts_of_entry(history, entry), scale),
        current=is_current,
    )


def _events(history: History, page: int) -> Listed[EventRow]:
    keyed = zip(history.entries, keys_of(history), strict=True)
    key_of = {event_id: key for entry, key in keyed for event_id in entry.event_ids}
    return Listed.of(
        history.events, page, ROWS_PER_PAGE, lambda event: _event_row(event, key_of.get(event.id), history.events[0].at)
    )


def _event_row(event: queries.Event, key: EntryKey | None, began_at: datetime) -> EventRow:
    return EventRow(
        id=event.id,
        previous_id=event.previous_id,
        at=event.at,
        after_seconds=(event.at - began_at).total_seconds(),
        type=event.type,
        state=key.state if key else "",
        key=key,
        details=mask(dict(event.details)),
    )


def _head(record: TaskRecord, attempts: Sequence[TaskRecord], snapshot: ExecutionSnapshot, now: datetime) -> Head:
    description, arn = snapshot.description, record.execution_arn
    status, note = _status(record, snapshot)
    error = record.error or (description.error if description else "")
    cause = record.cause or (description.cause if description else "")
    is_at_aws = queries.is_at_step_functions(record)
    subjects = registered_hooks().subjects
    return Head(
        task=masked_row(queries.row_of(record, now)),
        status=status,
        status_note=note,
        subject=subjects.describe(record.subject_id) if subjects and record.subject_id else "",
        sent_at=record.sent_at,
        send_attempts=record.send_attempts,
        last_send_error=mask(record.last_send_error),
        error=mask(error),
        cause=mask(cause),
        cause_words=mask(cause_words(cause)),
        attempt=next(number for number, one in enumerate(attempts, 1) if one.pk == record.pk),
        attempts=tuple(masked_row(queries.row_of(one, now)) for one in attempts),
        execution_arn=arn,
        version_arn=record.state_machine_version_arn or (description.version_arn if description else ""),
        events=len(snapshot.history.events) if snapshot.history else None,
        ran_in_process=record.ran_inline or (bool(arn) and not is_at_aws),
        advice=tuple(queries.advise(record, attempts, description, snapshot.history, now)),
        aws_console_url=queries.execution_url(arn) if is_at_aws else "",
        trace_url=queries.trace_url(arn, description.trace_header) if description else "",
        map_run_url=queries.map_run_url(description.map_run_arn) if description and description.map_run_arn else "",
    )


def _status(record: TaskRecord, snapshot: ExecutionSnapshot) -> tuple[str, str]:
    """Return the status, and a sentence if the record and Step Functions disagree."""
    current = snapshot.history.status if snapshot.history and not snapshot.unanswered else ""
    if not current or current == record.status:
        return record.status, ""
    note = _("Step Functions says %(said)s; the task record still says %(status)s. It follows within seconds.")
    return current, note % {"said": current, "status": record.status}


def _acts(record: TaskRecord, attempts: Sequence[TaskRecord], snapshot: ExecutionSnapshot, now: datetime) -> Acts:
    history, description = snapshot.history, snapshot.description
    redrive = queries.why_not_redrivable(record, now, description)
    stop = queries.why_not_stoppable(record)
    restart = queries.why_not_restartable(record, attempts, even_succeeded=True)
    again = history.running_again if history and history.status != TaskStatus.RUNNING else ()
    return Acts(
        redrive=Act(redrive is None, redrive.problem if redrive else ""),
        stop=Act(stop is None, stop.problem if stop else ""),
        restart=Act(restart is None, restart.problem if restart else ""),
        redrive_token=queries.redrive_token(record, description),
        runs_again=tuple(entry.label for entry in again),
        redrivable_until=queries.redrivable_until(record),
        restart_id=queries.next_attempt_id(attempts),
        restart_repeats_success=any(one.status == TaskStatus.SUCCEEDED for one in attempts),
    )


def _selected(
    snapshot: ExecutionSnapshot, entry: StateEntry | None, query: ExecutionQuery, now: datetime
) -> StateDetails | None:
    if snapshot.history is not None and entry is not None:
        return details_shown(snapshot.history, entry, snapshot.definition, now, query.picks_page)
    return not_run(query.state, snapshot.definition) if query.state else None


def _input_and_output(record: TaskRecord, history: History | None) -> tuple[Any, Any]:
    """Return the execution's input and output, masked: from its history, or else from the record."""
    given: Any = record.payload or ({"payload_key": record.payload_key} if record.payload_key else {})
    output = record.result
    if history is not None:
        given = next((one.details["input"] for one in history.events[:1] if "input" in one.details), given)
        output = next((one.details["output"] for one in history.events[-1:] if "output" in one.details), output)
    return mask(given), mask(output)


def _notes(record: TaskRecord, snapshot: ExecutionSnapshot) -> tuple[str, ...]:
    """Return what is unknown or may mislead, one sentence each."""
    notes = []
    if snapshot.definition_note == queries.DEFINITION_OF_FILES and record.execution_arn:
        notes.append(_("The graph is of the definition in this project's files. The execution may have used another."))
    elif snapshot.definition_note == queries.DEFINITION_OF_FILES:
        notes.append(_("Nothing has run yet. The graph is of the definition in this project's files."))
    elif snapshot.definition_note == queries.DEFINITION_UNKNOWN:
        notes.append(_("There is no graph: neither Step Functions nor this project's files have the definition."))
    history, description = snapshot.history, snapshot.description
    if history is not None and len(history.events) >= MAX_EVENTS:
        notes.append(_("The history is full: Step Functions keeps 25,000 events and ends the execution there."))
    if history and description and description.status != history.status == TaskStatus.RUNNING:
        notes.append(_("The last events are not in the history yet; they follow within seconds."))
    return tuple(notes)
