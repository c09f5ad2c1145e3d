"""What pages show of one execution: its history and definition, asked for once however many look, under AWS's quotas.

The task's status comes from the database; Step Functions is asked for the history of an execution alone whose page
is open. What it answered is kept in this process: of one that runs for some seconds, of one that has ended for long.
A process takes at most a half of the account's quotas; what it may not ask now, it does not wait for: the page says
until when what it shows was true.
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Event, Lock
from typing import Any

from django.conf import settings
from django.utils import timezone

from qu_workflows.aws.pacing import DESCRIBE, HISTORY, Quota
from qu_workflows.executions.histories import History, read_history
from qu_workflows.executions.inspection import why_not_asked
from qu_workflows.executions.step_functions import Description, definition_of_execution, describe, event_pages
from qu_workflows.protocol.definitions import definition_of
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused
from qu_workflows.records.models import TaskRecord, TaskStatus

RUNNING_SECONDS = 2.5  # a page asks every 3 seconds
ENDED_SECONDS = 3600.0
UNANSWERED_SECONDS = 5.0
KEPT_EVENTS = 200_000  # some hundred megabytes at the most
KEPT_EXECUTIONS = 500
_SHARE = 0.5  # of a quota; the rest is for other processes and commands
_BURST_SECONDS = 4.0
_AT_ONCE = Event()  # set: a page does not wait out a throttling
_AT_ONCE.set()


@dataclass(frozen=True)
class Look:
    """What Step Functions has said of an execution.

    ``unanswered`` says in a sentence why there is nothing newer than ``as_of``, "" if there is. ``definition`` is that
    by which the execution runs, unless ``definition_note`` says that it is the one of this project's files.
    """

    description: Description | None = None
    history: History | None = None
    definition: Mapping[str, Any] | None = None
    definition_note: str = ""
    unanswered: str = ""
    as_of: datetime | None = None


class AskedTooOften(OperationFailed):
    """This process has asked Step Functions as often as it may."""


class Allowance:
    """Counts calls against a quota: some at once, then a number a second. Never waits."""

    def __init__(self, quota: Quota, clock: Callable[[], float] = time.monotonic) -> None:
        self._quota, self._clock, self._lock = quota, clock, Lock()
        self._at = clock()
        self._left = self._most = 0.0

    def take(self) -> None:
        """Count one call. Raises AskedTooOften when there is none left."""
        with self._lock:
            per_second = self._quota.of(settings.AWS_REGION) * _SHARE
            most = per_second * _BURST_SECONDS
            if most != self._most:
                self._left, self._most = most, most
            now = self._clock()
            self._left, self._at = min(most, self._left + (now - self._at) * per_second), now
            if self._left < 1:
                raise AskedTooOften(
                    self._quota.operation, "was called as often as this process may.", "Look again in some seconds."
                )
            self._left -= 1


@dataclass
class _Kept:
    """What is known of one execution. ``lock`` lets one ask while the others wait for its answer."""

    lock: Lock
    look: Look
    key: tuple[str, int] = ("", -1)
    until: float = 0.0
    shown: tuple[Mapping[str, Any], ...] = ()


class Looks:
    """The looks that a process keeps; the one least looked at goes first. For any number of threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._describe, self._history = Allowance(DESCRIBE, clock), Allowance(HISTORY, clock)

    def look_at(self, record: TaskRecord) -> Look:
        """Return what is known of a task's execution, asking Step Functions if that is too old. Raises nothing."""
        why = why_not_asked(record)
        if why:
            definition, note = _of_this_project(record)
            return Look(definition=definition, definition_note=note, unanswered=why)
        kept = self._of(record.execution_arn)
        key = (record.status, record.redrive_count)
        with kept.lock:
            if key != kept.key or self._clock() >= kept.until:
                kept.look = self._asked(record, kept)
                kept.key, kept.until = key, self._clock() + _seconds(kept.look)
        self._make_room()
        return kept.look

    def forget(self, arn: str) -> None:
        """Ask Step Functions anew at the next look: something was done to the execution."""
        with self._lock:
            if kept := self._kept.get(arn):
                kept.until = 0.0

    def _of(self, arn: str) -> _Kept:
        with self._lock:
            kept = self._kept.setdefault(arn, _Kept(Lock(), Look()))
            self._kept.move_to_end(arn)
            return kept

    def _make_room(self) -> None:
        with self._lock:
            events = sum(len(kept.shown) for kept in self._kept.values())
            while len(self._kept) > 1 and (events > KEPT_EVENTS or len(self._kept) > KEPT_EXECUTIONS):
                _arn, dropped = self._kept.popitem(last=False)
                events -= len(dropped.shown)

    def _asked(self, record: TaskRecord, kept: _Kept) -> Look:
        arn, before = record.execution_arn, kept.look
        try:
            self._describe.take()
            description = describe(arn, _AT_ONCE)
            shown = self._events(arn, kept.shown)
            history = before.history
            if shown != kept.shown or history is None:
                history = read_history(shown)
        except OperationRefused as refused:
            definition, note = before.definition, before.definition_note
            if definition is None:
                definition, note = _of_this_project(record)
            return replace(before, definition=definition, definition_note=note, unanswered=str(refused))
        kept.shown = shown
        definition, note = self._definition(record, before)
        return Look(description, history, definition, note, as_of=timezone.now())

    def _events(self, arn: str, known: tuple[Mapping[str, Any], ...]) -> tuple[Mapping[str, Any], ...]:
        """Return all events; of those that are known already, only the last page is asked for again."""
        if not known:
            return tuple(event for page in self._pages(arn, newest_first=False) for event in page)
        newer: list[Mapping[str, Any]] = []
        for page in self._pages(arn, newest_first=True):
            newer += [event for event in page if event["id"] > known[-1]["id"]]
            if page and page[-1]["id"] <= known[-1]["id"]:
                break
        return (*known, *reversed(newer)) if newer else known

    def _pages(self, arn: str, *, newest_first: bool) -> Any:
        pages = event_pages(arn, _AT_ONCE, newest_first=newest_first)
        while True:
            self._history.take()
            page = next(pages, None)
            if page is None:
                return
            yield page

    def _definition(self, record: TaskRecord, before: Look) -> tuple[Mapping[str, Any] | None, str]:
        if before.definition is not None and not before.definition_note:
            return before.definition, ""  # it never changes
        try:
            self._describe.take()
            return definition_of_execution(record.execution_arn, _AT_ONCE), ""
        except (OperationRefused, json.JSONDecodeError):
            return _of_this_project(record)


def _seconds(look: Look) -> float:
    if look.unanswered:
        return UNANSWERED_SECONDS
    if look.history is None or look.history.status == TaskStatus.RUNNING:
        return RUNNING_SECONDS
    return ENDED_SECONDS


def _of_this_project(record: TaskRecord) -> tuple[Mapping[str, Any] | None, str]:
    """Return a workflow's definition as this project's files have it today, and a sentence that says so."""
    try:
        return definition_of(record.workflow), DEFINITION_OF_FILES
    except (OSError, ValueError):
        return None, DEFINITION_UNKNOWN


DEFINITION_OF_FILES = "of_files"
DEFINITION_UNKNOWN = "unknown"

_looks = Looks()


def look_at(record: TaskRecord) -> Look:
    """Return what is known of a task's execution, from this process's looks. Raises nothing."""
    return _looks.look_at(record)


def forget(arn: str) -> None:
    """Have an execution be asked for anew: it was redriven, or stopped."""
    _looks.forget(arn)


def forget_all() -> None:
    """Forget every execution and every call counted."""
    global _looks  # noqa: PLW0603  one for the process
    _looks = Looks()
