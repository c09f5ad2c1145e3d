"""The turns of the engine: take messages, advance executions, save them together, then act.

Nothing is invoked, answered or announced before its step is on disk. One thread at a time takes turns, so no
execution is advanced twice at once, and the saves of a turn share one commit.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Any

from asl_engine.clock import Clock
from asl_engine.core.advance import advance
from asl_engine.core.commands import Command
from asl_engine.core.events import Event, Stop, TimerFired
from asl_engine.core.execution import Status
from asl_engine.core.history import HistoryEvent
from asl_engine.errors import ApiError, ExecutionAlreadyExists, ExecutionDoesNotExist, RunnerStopped
from asl_engine.runner.open_executions import OpenExecution, OpenExecutions
from asl_engine.store import Store
from asl_engine.store.records import Document, ExecutionRecord, Save

logger = logging.getLogger(__name__)

_MESSAGES_PER_TURN = 512  # many share a commit, few are answered soon
_DROPPED_KEPT = 1000

type Timer = tuple[int, int, str, int, int]  # at_ms, order, execution's ARN, branch, token


@dataclass(slots=True)
class Message:
    """A request for one execution.

    ``event`` is the event, or a function that makes it from the current execution: it raises ApiError to refuse, and
    returns None to change nothing. ``new`` is the execution to create, instead of a closed one if ``replaces``.
    ``answer`` gets the value of ``reply`` once the step is saved.
    """

    arn: str
    event: Event | Callable[[OpenExecution], Event | None]
    answer: "Future[Any] | None" = None
    reply: Callable[[OpenExecution], Any] | None = None
    new: OpenExecution | None = None
    replaces: bool = False
    documents: list[Document] = field(default_factory=list)


class Inbox:
    """A queue of messages from any thread; ``woken`` is set while it has any."""

    def __init__(self) -> None:
        self._messages: deque[Message] = deque()
        self.woken = threading.Event()

    def __bool__(self) -> bool:
        return bool(self._messages)

    def put(self, message: Message) -> None:
        """Add a message."""
        self._messages.append(message)
        self.woken.set()

    def take(self, limit: int) -> list[Message]:
        """Remove and return up to ``limit`` messages, the oldest first."""
        messages = self._messages
        return [messages.popleft() for _ in range(min(limit, len(messages)))]


class Timers:
    """The timers of all executions in one heap. Used by the engine's thread only."""

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._order = 0
        self._dropped: dict[str, int] = {}  # ARN -> order of its last dead timer

    def __len__(self) -> int:
        return len(self._heap)

    def set(self, at_ms: int, arn: str, branch_id: int, token: int) -> None:
        """Set a timer. An outdated one may remain: its token identifies it."""
        self._order += 1
        heappush(self._heap, (at_ms, self._order, arn, branch_id, token))

    def drop(self, arn: str) -> None:
        """Drop the timers of a closed execution."""
        self._dropped[arn] = self._order
        if len(self._dropped) > max(_DROPPED_KEPT, len(self._heap) // 2):
            self._heap = [timer for timer in self._heap if self._alive(timer)]
            heapify(self._heap)
            self._dropped.clear()

    def _alive(self, timer: Timer) -> bool:
        return timer[1] > self._dropped.get(timer[2], 0)

    def next_ms(self) -> int | None:
        """Return the time of the next timer, or None."""
        while self._heap and not self._alive(self._heap[0]):
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now_ms: int, limit: int) -> list[Timer]:
        """Remove and return up to ``limit`` due timers, the earliest first."""
        found: list[Timer] = []
        while len(found) < limit and (at_ms := self.next_ms()) is not None and at_ms <= now_ms:
            found.append(heappop(self._heap))
        return found


@dataclass(slots=True)
class Change:
    """The changes of one execution in a turn."""

    opened: OpenExecution
    is_new: bool = False
    replaces: bool = False
    history: list[HistoryEvent] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    was: ExecutionRecord | None = None  # the record before; None for a new execution


class EventLoop:
    """Takes turns.

    ``documents`` returns what to save with a command's step, ``act`` performs the command after that, and ``done``
    gets each saved change.
    """

    def __init__(
        self,
        store: Store,
        executions: OpenExecutions,
        clock: Clock,
        draw: Callable[[], float],
        activity_exists: Callable[[str], bool],
        *,
        documents: Callable[[OpenExecution, Command], list[Document]],
        act: Callable[[OpenExecution, Command], None],
        done: Callable[[Change], None],
    ) -> None:
        self.inbox, self.timers = Inbox(), Timers()
        self._store, self._executions, self._clock, self._draw = store, executions, clock, draw
        self._activity_exists = activity_exists
        self._documents, self._act, self._done = documents, act, done

    def wait(self, *, until_ms: int | None, busy: bool) -> None:
        """Wait for a message, a timer, or a time."""
        self.inbox.woken.clear()
        if not self.inbox:
            ends = [end for end in (until_ms, self.timers.next_ms()) if end is not None]
            self._clock.wait(self.inbox.woken, min(ends, default=None), busy=busy)

    def run_once(self) -> None:
        """Take one turn. Raises the store's errors; then nothing of the turn has happened."""
        changes: dict[str, Change] = {}
        try:
            later = [message for message in self._take() if not self._apply(message, changes)]
            self._save(changes)
        except BaseException as error:
            for change in changes.values():
                self._executions.drop(change.opened.record.arn)
                for message in change.messages:
                    _refuse(message, RunnerStopped(repr(error)))
            raise
        for message in later:
            self.inbox.put(message)
        for change in changes.values():
            self._finish(change)

    def _take(self) -> list[Message]:
        now_ms = self._clock.now_ms()
        due = self.timers.due(now_ms, _MESSAGES_PER_TURN)
        messages = self.inbox.take(_MESSAGES_PER_TURN)
        return messages + [Message(arn, TimerFired(branch_id, token)) for _, _, arn, branch_id, token in due]

    def _apply(self, message: Message, changes: dict[str, Change]) -> bool:
        """Advance the message's execution; return False to postpone the message to the next turn."""
        change = changes.get(message.arn)
        if message.new is not None:
            if change is not None:  # the same name twice in a turn: the store must have the first one
                return False
            change = changes[message.arn] = Change(message.new, is_new=True, replaces=message.replaces)
        elif change is None:
            opened = self._executions.get(message.arn)
            if opened is None:
                _refuse(message, ExecutionDoesNotExist(message.arn))
                return True
            change = changes[message.arn] = Change(opened, was=opened.record)
        try:
            self._advance(message, change)
        except Exception as error:
            logger.exception("%s: the engine failed on %r and stops the execution.", message.arn, message.event)
            self._set_aside(changes.pop(message.arn), message, error)
        return True

    def _set_aside(self, change: Change, message: Message, error: Exception) -> None:
        """After an engine fault: drop the turn's changes of the execution, and stop it."""
        self._executions.drop(message.arn)
        _refuse(message, error)
        for earlier in change.messages:
            self.inbox.put(earlier)
        if not change.is_new and not isinstance(message.event, Stop):
            self.inbox.put(Message(message.arn, Stop("States.Runtime", repr(error))))

    def _advance(self, message: Message, change: Change) -> None:
        opened = change.opened
        try:
            event = message.event(opened) if callable(message.event) else message.event
        except ApiError as refusal:
            _refuse(message, refusal)
            return
        change.documents += message.documents
        if event is not None:
            self._step(change, event)
        change.messages.append(message)

    def _step(self, change: Change, event: Event) -> None:
        opened = change.opened
        now_ms = self._clock.now_ms()
        step = advance(opened.program, opened.execution, event, now_ms, self._draw, self._activity_exists)
        change.history += step.history
        change.commands += step.commands

    def _save(self, changes: dict[str, Change]) -> None:
        stored: list[Save] = []
        arns: list[str] = []
        for arn, change in changes.items():
            for command in change.commands:
                change.documents += self._documents(change.opened, command)
            history = [] if change.opened.record.express else change.history
            save = change.opened.save(history, change.documents, is_new=change.is_new, replaces=change.replaces)
            if self._is_stored(change):
                stored.append(save)
                arns.append(arn)
        if not stored:
            return
        for arn, taken in zip(arns, self._store.save(stored), strict=True):
            if taken is not None:
                self._answer_taken(changes.pop(arn), taken)

    @staticmethod
    def _is_stored(change: Change) -> bool:
        record = change.opened.record
        return not record.express or record.map_run_arn is not None

    @staticmethod
    def _answer_taken(change: Change, taken: ExecutionRecord) -> None:
        """Answer a start whose name is taken: the same request gets the same answer."""
        same = taken.status == Status.RUNNING and taken.input == change.opened.record.input
        for message in change.messages:
            if not same:
                _refuse(message, ExecutionAlreadyExists(taken.arn))
            elif message.answer is not None:
                message.answer.set_result(taken)

    def _finish(self, change: Change) -> None:
        opened = change.opened
        self._executions.keep(opened, saved=self._is_stored(change))
        for message in change.messages:
            if message.answer is not None:
                message.answer.set_result(message.reply(opened) if message.reply is not None else None)
        for command in change.commands:
            self._act(opened, command)
        self._done(change)


def _refuse(message: Message, refusal: Exception) -> None:
    if message.answer is not None:
        message.answer.set_exception(refusal)
