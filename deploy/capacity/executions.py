"""Step Functions: executions are started by the token, go from state to state by the token, and invoke functions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random

from deploy.capacity.buckets import TokenBucket
from deploy.capacity.clock import Clock
from deploy.capacity.instances import Instances
from deploy.capacity.shapes import Fan, Pass, Shape, Work

type Then = Callable[[], None]
type Ended = Callable[[bool], None]


@dataclass
class Run:
    """One execution: how many items its Maps have, whom to tell of its end, and whether it has ended."""

    widths: Mapping[str, int]
    ended: Ended
    is_over: bool = False


class Executions:
    """Runs executions. ``answer_seconds``: how long a person takes to answer a task token.

    ``attempts`` stands in for the MaxAttempts of every retrier: what if the definitions tried more often?
    """

    def __init__(
        self,
        clock: Clock,
        rng: Random,
        starts: TokenBucket,
        transitions: TokenBucket,
        functions: Mapping[str, Instances],
        answer_seconds: float,
        attempts: int | None = None,
    ) -> None:
        self._clock, self._rng, self._starts, self._transitions = clock, rng, starts, transitions
        self._functions, self._answer_seconds, self._attempts = functions, answer_seconds, attempts
        self.transitions_made = 0

    def start(self, shape: Shape, widths: Mapping[str, int], ended: Ended) -> bool:
        """Start an execution, which tells ``ended`` whether it succeeded; or answer False: throttled."""
        if not self._starts.take(self._clock.now):
            return False
        run = Run(widths, ended)
        self._go_on(run, shape, 0, lambda: self._end(run, succeeded=True))
        return True

    def _go_on(self, run: Run, shape: Shape, index: int, then: Then) -> None:
        """Enter the states from ``index`` on, as far as one that takes time; ``then`` follows the last."""
        if run.is_over:
            return
        wait = 0.0
        while index < len(shape):
            step = shape[index]
            index += 1
            wait = self._transition()
            if not isinstance(step, Pass):
                self._soon(wait, partial(self._enter, run, step, shape, index, then))
                return
        self._soon(wait, then)

    def _enter(self, run: Run, step: Work | Fan, shape: Shape, index: int, then: Then) -> None:
        def on() -> None:
            self._go_on(run, shape, index, then)

        if isinstance(step, Fan):
            _Iterations(self, run, step, on).begin()
        elif step.is_answered_later:
            self._invoke(run, step, 0, lambda: self._clock.after(self._answer_seconds, on))
        else:
            self._invoke(run, step, 0, on)

    def _invoke(self, run: Run, work: Work, attempt: int, then: Then) -> None:
        if run.is_over or self._functions[work.function].invoke(then):
            return
        if attempt == (self._attempts or work.retrier.max_attempts):
            self._end(run, succeeded=False)
            return
        wait = self._rng.uniform(0, work.retrier.delay(attempt)) + self._transition()  # a retry is a transition too
        self._clock.after(wait, self._invoke, run, work, attempt + 1, then)

    def _end(self, run: Run, *, succeeded: bool) -> None:
        if not run.is_over:
            run.is_over = True
            run.ended(succeeded)

    def _transition(self) -> float:
        self.transitions_made += 1
        return self._transitions.wait(self._clock.now)

    def _soon(self, wait: float, call: Then) -> None:
        if wait:
            self._clock.after(wait, call)
        else:
            call()

    def run_item(self, run: Run, body: Shape, then: Then) -> None:
        """Run one iteration of a Map."""
        self._go_on(run, body, 0, then)


class _Iterations:
    """The iterations of one Map: the next begins when one ends."""

    def __init__(self, executions: Executions, run: Run, fan: Fan, then: Then) -> None:
        self._executions, self._run, self._fan, self._then = executions, run, fan, then
        self._unbegun = self._unended = run.widths[fan.items]

    def begin(self) -> None:
        if not self._unended:
            self._then()
        for _ in range(min(self._fan.at_a_time or self._unbegun, self._unbegun)):
            self._next()

    def _next(self) -> None:
        self._unbegun -= 1
        self._executions.run_item(self._run, self._fan.body, self._ended)

    def _ended(self) -> None:
        self._unended -= 1
        if self._unbegun:
            self._next()
        elif not self._unended:
            self._then()
