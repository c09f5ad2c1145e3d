"""Cached snapshots of executions for pages: history and definition, read within AWS's quotas.

The task's status comes from the database; Step Functions is called only for executions whose page is open. A process
uses at most half of the account's quotas, and does not wait for them: the page shows the time of its data.
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

from django.conf import settings

from qu_workflows.aws.pacing import DESCRIBE, HISTORY, Quota
from qu_workflows.caching import Cache
from qu_workflows.executions.histories import History, read_history
from qu_workflows.executions.redrivability import why_not_asked
from qu_workflows.executions.step_functions import (
    AT_ONCE,
    Description,
    definition_of_execution,
    describe,
    event_pages,
)
from qu_workflows.protocol.definitions import definition_of
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused
from qu_workflows.records.models import TaskRecord, TaskStatus

RUNNING_SECONDS = 2.5  # a page refreshes every 3 seconds
ENDED_SECONDS = 3600.0
KEPT_EVENTS = 200_000  # at most some hundred megabytes
_LEAST_WEIGHT = 400  # of an execution, in events: at most 500 executions
_SHARE = 0.5  # of a quota; the rest is for other processes and commands
_BURST_SECONDS = 4.0
DEFINITION_OF_FILES = "of_files"
DEFINITION_UNKNOWN = "unknown"


@dataclass(frozen=True)
class ExecutionSnapshot:
    """Step Functions' data about an execution, read at ``as_of``.

    ``unanswered`` says in a sentence why there is nothing newer, "" if the data is current. ``definition`` is the
    execution's, unless ``definition_note`` says otherwise.
    """

    description: Description | None = None
    history: History | None = None
    definition: Mapping[str, Any] | None = None
    definition_note: str = ""
    unanswered: str = ""
    as_of: datetime | None = None


class AskedTooOften(OperationFailed):
    """This process has used its share of a quota."""


class Allowance:
    """A token bucket for calls against a quota. Never waits."""

    def __init__(self, quota: Quota, clock: Callable[[], float] = time.monotonic) -> None:
        self._quota, self._clock, self._lock = quota, clock, Lock()
        self._at = clock()
        self._left = self._most = 0.0

    def take(self) -> None:
        """Take one token. Raises AskedTooOften without one."""
        with self._lock:
            per_second = self._quota.of(settings.AWS_REGION) * _SHARE
            most = per_second * _BURST_SECONDS
            if most != self._most:
                self._left, self._most = most, most
            now = self._clock()
            self._left, self._at = min(most, self._left + (now - self._at) * per_second), now
            if self._left < 1:
                problem = "has used this process's share of the quota."
                raise AskedTooOften(self._quota.operation, problem, "Try again in a few seconds.")
            self._left -= 1


@dataclass(frozen=True)
class _Read:
    """Cached data of an execution, with ``events`` as Step Functions returns them."""

    description: Description
    history: History
    events: tuple[Mapping[str, Any], ...]
    definition: Mapping[str, Any] | None


class ExecutionSnapshots:
    """The snapshots of a process. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._describe, self._history = Allowance(DESCRIBE, clock), Allowance(HISTORY, clock)
        self._cache: Cache[str, _Read] = Cache(
            "Step Functions",
            self._read,
            lambda read: RUNNING_SECONDS if read.history.status == TaskStatus.RUNNING else ENDED_SECONDS,
            weigh=lambda read: max(len(read.events), _LEAST_WEIGHT),
            capacity=KEPT_EVENTS,
            clock=clock,
        )

    def get(self, record: TaskRecord) -> ExecutionSnapshot:
        """Return the snapshot of a task's execution, refreshed if it is too old. Never raises."""
        if why := why_not_asked(record):
            return ExecutionSnapshot(None, None, *_definition(record, None), unanswered=why)
        cached = self._cache.get(record.execution_arn, version=(record.status, record.redrive_count))
        read = cached.value
        return ExecutionSnapshot(
            read.description if read else None,
            read.history if read else None,
            *_definition(record, read),
            unanswered=cached.unanswered,
            as_of=cached.as_of,
        )

    def expire(self, arn: str) -> None:
        """Refresh at the next ``get``, after an action on the execution."""
        self._cache.expire(arn)

    def _read(self, arn: str, before: _Read | None) -> _Read:
        self._describe.take()
        description = describe(arn, AT_ONCE)
        known = before.events if before else ()
        events = self._events(arn, known)
        return _Read(
            description=description,
            history=before.history if before and events is known else read_history(events),
            events=events,
            # A definition never changes.
            definition=before.definition if before and before.definition is not None else self._definition(arn),
        )

    def _events(self, arn: str, known: tuple[Mapping[str, Any], ...]) -> tuple[Mapping[str, Any], ...]:
        """Return all events; read only pages with new ones."""
        if not known:
            return tuple(event for page in self._pages(arn, newest_first=False) for event in page)
        newer: list[Mapping[str, Any]] = []
        for page in self._pages(arn, newest_first=True):
            newer += [event for event in page if event["id"] > known[-1]["id"]]
            if page and page[-1]["id"] <= known[-1]["id"]:
                break
        return (*known, *reversed(newer)) if newer else known

    def _pages(self, arn: str, *, newest_first: bool) -> Iterator[list[dict[str, Any]]]:
        return event_pages(arn, AT_ONCE, newest_first=newest_first, before_each=self._history.take)

    def _definition(self, arn: str) -> Mapping[str, Any] | None:
        try:
            self._describe.take()
            return definition_of_execution(arn, AT_ONCE)
        except (OperationRefused, json.JSONDecodeError):
            return None


def _definition(record: TaskRecord, read: _Read | None) -> tuple[Mapping[str, Any] | None, str]:
    """Return an execution's definition, else the current one of this project's files, and a note."""
    if read and read.definition is not None:
        return read.definition, ""
    try:
        return definition_of(record.workflow), DEFINITION_OF_FILES
    except (OSError, ValueError):
        return None, DEFINITION_UNKNOWN


_snapshots = ExecutionSnapshots()


def snapshot_of(record: TaskRecord) -> ExecutionSnapshot:
    """Return this process's snapshot of a task's execution. Never raises."""
    return _snapshots.get(record)


def expire_snapshot(record: TaskRecord) -> None:
    """Refresh the next snapshot of an execution that was redriven or stopped."""
    _snapshots.expire(record.execution_arn)


def clear_snapshots() -> None:
    """Drop all snapshots and quota counts."""
    global _snapshots  # noqa: PLW0603  one for the process
    _snapshots = ExecutionSnapshots()
