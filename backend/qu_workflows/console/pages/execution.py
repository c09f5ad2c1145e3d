"""One task and its execution as their page shows them: everything masked, as its JSON twin has it.

The record says how it stands; Step Functions, through ``executions.queries.snapshot_of``, what happened.
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
from qu_workflows.console.pages.execution_states import (
    Listed,
    StateDetails,
    VisitKey,
    cause_words,
    details_shown,
    find_visit,
    keys_of,
    not_run,
    place_of,
)
from qu_workflows.executions.queries import (
    DEFINITION_OF_FILES,
    DEFINITION_UNKNOWN,
    Event,
    ExecutionSnapshot,
    History,
    StateEntry,
    StateOutcome,
    StepLog,
    TaskRow,
    advise,
    attempts_of,
    attempts_of_entry,
    execution_url,
    is_at_step_functions,
    map_run_url,
    next_attempt_id,
    redrivable_until,
    redrive_token,
    row_of,
    trace_url,
    why_not_redrivable,
    why_not_restartable,
    why_not_stoppable,
)
from qu_workflows.records.models import WAITING, TaskRecord, TaskStatus

VIEWS = ("table", "events", "input")
EVENTS_PER_PAGE = 100
VISITS_PER_PAGE = 100
MAX_EVENTS = 25_000
_RUNNING_BUCKET_SECONDS = 10  # how often durations of what runs are drawn again when no event has come
_UNREMARKABLE = frozenset({StateOutcome.SUCCEEDED})


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The query parameters of the page. Invalid values count as not given."""

    view: str = "table"
    state: str = ""
    iteration: str | None = None
    visit: int | None = None
    page: int = 1
    picks_page: int = 1
    only_problems: bool = False
    logs: bool = False

    @classmethod
    def of(cls, given: QueryDict) -> "Asked":
        """Read an address's query."""
        return cls(
            view=given.get("view", "") if given.get("view") in VIEWS else VIEWS[0],
            state=given.get("state", ""),
            iteration=given.get("iteration"),
            visit=number_in(given.get("visit", "")),
            page=max(1, number_in(given.get("page", "")) or 1),
            picks_page=max(1, number_in(given.get("picks", "")) or 1),
            only_problems=given.get("only") == "problems",
            logs=bool(given.get("logs")),
        )

    @property
    def query(self) -> dict[str, str]:
        """The query that asks for the same, without pages."""
        given = {
            "view": self.view if self.view != VIEWS[0] else "",
            "state": self.state,
            "iteration": self.iteration or "",
            "visit": "" if self.visit is None else str(self.visit),
            "only": "problems" if self.only_problems else "",
        }
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True)
class Head:
    """The task and how its execution stands."""

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
    """Something that can be done with it, or in ``why_not`` why it cannot."""

    possible: bool
    why_not: str = ""


@dataclass(frozen=True)
class Acts:
    """The available actions. ``redrive_token`` makes a second click do nothing."""

    redrive: Act
    stop: Act
    restart: Act
    redrive_token: str
    runs_again: tuple[str, ...]
    redrivable_until: datetime | None
    restart_id: str
    restart_repeats_success: bool


@dataclass(frozen=True)
class VisitRow:
    """A row of the table."""

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
    key: VisitKey
    bar: TimelineBar
    current: bool


@dataclass(frozen=True)
class EventRow:
    """A row of the events; ``details`` is masked JSON."""

    id: int
    previous_id: int
    at: datetime
    after_seconds: float
    type: str
    state: str
    key: VisitKey | None
    details: Any


@dataclass(frozen=True)
class ExecutionShown:
    """The whole page. Of ``table``, ``events`` and ``input`` there is the one that is asked for; ``log`` if it is."""

    head: Head
    acts: Acts
    is_live: bool
    as_of: datetime | None
    unanswered: str
    notes: tuple[str, ...]
    selected: StateDetails | None
    view: str
    table: Listed[VisitRow] | None
    events: Listed[EventRow] | None
    input: Any
    output: Any
    log: StepLog | None = None


def shown(record: TaskRecord, snapshot: ExecutionSnapshot, asked: Asked, now: datetime) -> ExecutionShown:
    """Return what the page of a task shows."""
    history = snapshot.history
    attempts = attempts_of(record)
    visit = find_visit(history, asked.state, asked.iteration, asked.visit) if history else None
    given, output = _ends(record, history) if asked.view == "input" else (None, None)
    return ExecutionShown(
        head=_head(record, attempts, snapshot, now),
        acts=_acts(record, attempts, snapshot, now),
        is_live=is_live(record, snapshot),
        as_of=snapshot.as_of,
        unanswered=mask(snapshot.unanswered),
        notes=_notes(record, snapshot),
        selected=_selected(snapshot, visit, asked, now),
        view=asked.view,
        table=table_of(history, asked, now, visit) if history and asked.view == "table" else None,
        events=events_of(history, asked.page) if history and asked.view == "events" else None,
        input=given,
        output=output,
    )


def is_live(record: TaskRecord, snapshot: ExecutionSnapshot) -> bool:
    """Return whether it is to be expected that the page shows something else soon."""
    if record.status in (*WAITING, TaskStatus.RUNNING):
        return True
    return snapshot.history is not None and snapshot.history.status == TaskStatus.RUNNING


def mark_of(record: TaskRecord, snapshot: ExecutionSnapshot, now: datetime) -> str:
    """Return what is the same while the page would show the same."""
    running = int(now.timestamp()) // _RUNNING_BUCKET_SECONDS if is_live(record, snapshot) and snapshot.history else 0
    events = len(snapshot.history.events) if snapshot.history else -1
    parts = (record.status, record.redrive_count, record.finished_at, events, bool(snapshot.unanswered), running)
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:16]


def acts_mark_of(record: TaskRecord, snapshot: ExecutionSnapshot) -> str:
    """Return what is the same while the same can be done: a reason that is being typed stays until then."""
    status = snapshot.history.status if snapshot.history else ""
    return f"{record.status}-{record.redrive_count}-{status}-{int(bool(snapshot.unanswered))}"


def table_of(history: History, asked: Asked, now: datetime, current: StateEntry | None = None) -> Listed[VisitRow]:
    """Return a page of the table of visits."""
    keys = keys_of(history.entries)
    scale = scale_of(history, now)
    chosen = [
        (number, visit)
        for number, visit in enumerate(history.entries)
        if not asked.only_problems or visit.outcome not in _UNREMARKABLE or visit.tries > 1
    ]
    return Listed.of(
        chosen,
        asked.page,
        VISITS_PER_PAGE,
        lambda each: _visit_row(history, each[1], keys[each[0]], scale, now, current=each[1] is current),
    )


def events_of(history: History, page: int) -> Listed[EventRow]:
    """Return a page of the events, the oldest first."""
    keys = keys_of(history.entries)
    key_of = {event_id: keys[number] for number, visit in enumerate(history.entries) for event_id in visit.event_ids}
    began_at = history.events[0].at if history.events else None
    return Listed.of(
        history.events, page, EVENTS_PER_PAGE, lambda event: event_row(event, key_of.get(event.id), began_at)
    )


def event_row(event: Event, key: VisitKey | None, began_at: datetime | None) -> EventRow:
    """Return one event, its details masked."""
    return EventRow(
        id=event.id,
        previous_id=event.previous_id,
        at=event.at,
        after_seconds=(event.at - began_at).total_seconds() if began_at else 0.0,
        type=event.type,
        state=key.state if key else "",
        key=key,
        details=mask(dict(event.details)),
    )


def _head(record: TaskRecord, attempts: Sequence[TaskRecord], snapshot: ExecutionSnapshot, now: datetime) -> Head:
    row, description = masked_row(row_of(record, now)), snapshot.description
    status, note = _status(record, snapshot)
    error = record.error or (description.error if description else "")
    cause = record.cause or (description.cause if description else "")
    arn = record.execution_arn
    subjects = registered_hooks().subjects
    return Head(
        task=row,
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
        attempts=tuple(masked_row(row_of(one, now)) for one in attempts),
        execution_arn=arn,
        version_arn=record.state_machine_version_arn or (description.version_arn if description else ""),
        events=len(snapshot.history.events) if snapshot.history else None,
        ran_in_process=record.ran_inline or (bool(arn) and not is_at_step_functions(record)),
        advice=tuple(advise(record, attempts, description, snapshot.history, now)),
        aws_console_url=execution_url(arn) if is_at_step_functions(record) else "",
        trace_url=trace_url(arn, description.trace_header) if description else "",
        map_run_url=map_run_url(description.map_run_arn) if description and description.map_run_arn else "",
    )


def _status(record: TaskRecord, snapshot: ExecutionSnapshot) -> tuple[str, str]:
    """Return the status to show, and a sentence where the record and Step Functions do not say the same."""
    said = snapshot.history.status if snapshot.history and not snapshot.unanswered else ""
    if not said or said == record.status:
        return record.status, ""
    note = _("Step Functions says %(said)s; the task record says %(status)s, and follows within seconds.")
    return said, note % {"said": said, "status": record.status}


def _acts(record: TaskRecord, attempts: Sequence[TaskRecord], snapshot: ExecutionSnapshot, now: datetime) -> Acts:
    history, description = snapshot.history, snapshot.description
    redrive = why_not_redrivable(record, now, description)
    stop = why_not_stoppable(record)
    restart = why_not_restartable(record, attempts, even_succeeded=True)
    again = history.running_again if history and history.status != TaskStatus.RUNNING else ()
    return Acts(
        redrive=Act(redrive is None, redrive.problem if redrive else ""),
        stop=Act(stop is None, stop.problem if stop else ""),
        restart=Act(restart is None, restart.problem if restart else ""),
        redrive_token=redrive_token(record, description),
        runs_again=tuple(visit.label for visit in again),
        redrivable_until=redrivable_until(record),
        restart_id=next_attempt_id(attempts),
        restart_repeats_success=any(one.status == TaskStatus.SUCCEEDED for one in attempts),
    )


def _selected(
    snapshot: ExecutionSnapshot, visit: StateEntry | None, asked: Asked, now: datetime
) -> StateDetails | None:
    if snapshot.history is not None and visit is not None:
        return details_shown(snapshot.history, visit, snapshot.definition, now, asked.picks_page)
    return not_run(asked.state, snapshot.definition) if asked.state else None


def _ends(record: TaskRecord, history: History | None) -> tuple[Any, Any]:
    """Return the input and the output of the whole execution, masked: by its history, or else by the record."""
    given: Any = record.payload or ({"payload_key": record.payload_key} if record.payload_key else {})
    output = record.result
    if history is not None:
        given = next((one.details["input"] for one in history.events[:1] if "input" in one.details), given)
        output = next((one.details["output"] for one in history.events[-1:] if "output" in one.details), output)
    return mask(given), mask(output)


def _notes(record: TaskRecord, snapshot: ExecutionSnapshot) -> tuple[str, ...]:
    """Return what is not known, or not as it seems, a sentence each."""
    notes = []
    if snapshot.definition_note == DEFINITION_OF_FILES and record.execution_arn:
        notes.append(_("The graph is of the definition in this project's files today; its own may have differed."))
    elif snapshot.definition_note == DEFINITION_OF_FILES:
        notes.append(_("Nothing has run yet. The graph is of the definition in this project's files today."))
    elif snapshot.definition_note == DEFINITION_UNKNOWN:
        notes.append(_("There is no graph: the definition is neither to be had from Step Functions nor in the files."))
    history, description = snapshot.history, snapshot.description
    if history is not None and len(history.events) >= MAX_EVENTS:
        notes.append(_("The history is full: Step Functions keeps 25,000 events, and ends the execution there."))
    is_behind = history and description and description.status != history.status == TaskStatus.RUNNING
    if is_behind:
        notes.append(_("The last events are not in the history yet; they follow within seconds."))
    return tuple(notes)


def _visit_row(
    history: History, visit: StateEntry, key: VisitKey, scale: Scale, now: datetime, *, current: bool
) -> VisitRow:
    return VisitRow(
        name=visit.name,
        place=place_of(visit),
        depth=min(len(visit.place), 4),
        kind=visit.kind,
        status=visit.outcome.name,
        tries=visit.tries,
        redrives=visit.redrives,
        entered_at=visit.entered_at,
        seconds=visit.seconds(now),
        error=mask(visit.error),
        key=key,
        bar=bar_of(visit, attempts_of_entry(history, visit), scale),
        current=current,
    )
