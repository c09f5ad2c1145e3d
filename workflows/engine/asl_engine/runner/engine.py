"""The engine's turn: take what has come, advance the executions it is for, save them together, then act.

Nothing is invoked, answered or announced before the step that wants it is on disk. One thread at a time
takes turns, so that an execution is never advanced twice at once, and a turn's saves share one commit.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from asl_engine.clock import Clock
from asl_engine.core.advance import advance
from asl_engine.core.commands import Command
from asl_engine.core.events import Event, Stop, TimerFired
from asl_engine.core.execution import Status
from asl_engine.core.history import HistoryEvent
from asl_engine.runner.errors import ExecutionAlreadyExists, ExecutionDoesNotExist, RequestRefused, RunnerStopped
from asl_engine.runner.letters import Inbox, Letter
from asl_engine.runner.opened import Opened, OpenExecutions
from asl_engine.runner.timers import Timers
from asl_engine.store.contract import Document, ExecutionRecord, Save, Store

logger = logging.getLogger(__name__)

_AT_ONCE = 512  # letters in a turn: enough to share a commit, few enough to answer soon


@dataclass(slots=True)
class Work:
    """What a turn does to one execution."""

    opened: Opened
    is_new: bool = False
    replaces: bool = False
    history: list[HistoryEvent] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    was: ExecutionRecord | None = None  # how it was saved before, None for a new one

    @property
    def closed(self) -> bool:
        """Whether this turn closed it."""
        return self.opened.execution.status != Status.RUNNING and self.was != self.opened.record


class Engine:
    """Takes turns.

    ``documents`` gives what a command needs saved with its step, ``act`` performs the command once that
    is so, and ``done`` is told of each execution that was saved.
    """

    def __init__(
        self,
        store: Store,
        executions: OpenExecutions,
        clock: Clock,
        draw: Callable[[], float],
        *,
        documents: Callable[[Opened, Command], list[Document]],
        act: Callable[[Opened, Command], None],
        done: Callable[[Work], None],
    ) -> None:
        self.inbox, self.timers = Inbox(), Timers()
        self._store, self._executions, self._clock, self._draw = store, executions, clock, draw
        self._documents, self._act, self._done = documents, act, done

    def rest(self, *, until_ms: int | None, busy: bool) -> None:
        """Wait until there is something to do, or until a time."""
        self.inbox.woken.clear()
        if not self.inbox:
            ends = [end for end in (until_ms, self.timers.next_ms()) if end is not None]
            self._clock.wait(self.inbox.woken, min(ends, default=None), busy=busy)

    def turn(self) -> None:
        """Do what is to be done now. Raises whatever the store raises; then nothing of the turn has happened."""
        works: dict[str, Work] = {}
        try:
            later = [letter for letter in self._take() if not self._apply(letter, works)]
            self._save(works)
        except BaseException as error:
            for work in works.values():
                self._executions.drop(work.opened.record.arn)
                for letter in work.letters:
                    _refuse(letter, RunnerStopped(repr(error)))
            raise
        for letter in later:
            self.inbox.put(letter)
        for work in works.values():
            self._finish(work)

    def _take(self) -> list[Letter]:
        now_ms = self._clock.now_ms()
        due = self.timers.due(now_ms, _AT_ONCE)
        letters = self.inbox.take(_AT_ONCE)
        return letters + [Letter(arn, TimerFired(branch_id, token)) for _, _, arn, branch_id, token in due]

    def _apply(self, letter: Letter, works: dict[str, Work]) -> bool:
        """Advance the letter's execution; return False to leave the letter for the next turn."""
        work = works.get(letter.arn)
        if letter.new is not None:
            if work is not None:  # the same name twice in a turn: the store must know the first one first
                return False
            work = works[letter.arn] = Work(letter.new, is_new=True, replaces=letter.replaces)
        elif work is None:
            opened = self._executions.get(letter.arn)
            if opened is None:
                _refuse(letter, ExecutionDoesNotExist(letter.arn))
                return True
            work = works[letter.arn] = Work(opened, was=opened.record)
        try:
            self._advance(letter, work)
        except Exception as error:
            logger.exception("%s: %r could not be taken in; the execution is stopped.", letter.arn, letter.event)
            self._set_aside(works.pop(letter.arn), letter, error)
        return True

    def _set_aside(self, work: Work, letter: Letter, error: Exception) -> None:
        """After a fault of ours: forget the turn's work on the execution, and stop it as it was saved."""
        self._executions.drop(letter.arn)
        _refuse(letter, error)
        for earlier in work.letters:
            self.inbox.put(earlier)
        if not work.is_new and not isinstance(letter.event, Stop):
            self.inbox.put(Letter(letter.arn, Stop("States.Runtime", repr(error))))

    def _advance(self, letter: Letter, work: Work) -> None:
        opened = work.opened
        try:
            event = letter.event(opened) if callable(letter.event) else letter.event
        except RequestRefused as refusal:
            _refuse(letter, refusal)
            return
        work.documents += letter.documents
        if event is not None:
            self._step(work, event)
        work.letters.append(letter)

    def _step(self, work: Work, event: Event) -> None:
        opened = work.opened
        step = advance(opened.program, opened.execution, event, self._clock.now_ms(), self._draw)
        work.history += step.history
        work.commands += step.commands

    def _save(self, works: dict[str, Work]) -> None:
        stored: list[Save] = []
        arns: list[str] = []
        for arn, work in works.items():
            for command in work.commands:
                work.documents += self._documents(work.opened, command)
            history = [] if work.opened.record.express else work.history
            save = work.opened.save(history, work.documents, is_new=work.is_new, replaces=work.replaces)
            if self._is_stored(work):
                stored.append(save)
                arns.append(arn)
        if not stored:
            return
        for arn, taken in zip(arns, self._store.save(stored), strict=True):
            if taken is not None:
                self._answer_taken(works.pop(arn), taken)

    @staticmethod
    def _is_stored(work: Work) -> bool:
        record = work.opened.record
        return not record.express or record.map_run_arn is not None

    @staticmethod
    def _answer_taken(work: Work, taken: ExecutionRecord) -> None:
        """Answer a start whose name is in use: the same request again gets the same answer."""
        same = taken.status == Status.RUNNING and taken.input == work.opened.record.input
        for letter in work.letters:
            if not same:
                _refuse(letter, ExecutionAlreadyExists(taken.arn))
            elif letter.answer is not None:
                letter.answer.set_result(taken)

    def _finish(self, work: Work) -> None:
        opened = work.opened
        self._executions.keep(opened, saved=self._is_stored(work))
        for letter in work.letters:
            if letter.answer is not None:
                letter.answer.set_result(letter.reply(opened) if letter.reply is not None else None)
        for command in work.commands:
            self._act(opened, command)
        self._done(work)


def _refuse(letter: Letter, refusal: Exception) -> None:
    if letter.answer is not None:
        letter.answer.set_exception(refusal)
