"""An event loop of asyncio whose time jumps to the next timer: a simulated day takes seconds."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any


class _NoWaiting(selectors.SelectSelector):
    """Moves the time on instead of waiting for files."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("Nothing is left to happen, and the simulation has not ended.")
        self.seconds += timeout
        return []


class _SimulatedLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _NoWaiting()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.seconds


def run_simulated[T](main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, in simulated time from 0 on: ``asyncio.sleep`` waits for nothing."""
    with asyncio.Runner(debug=False, loop_factory=_SimulatedLoop) as runner:
        return runner.run(main)


def now() -> float:
    """Return the simulated seconds."""
    return asyncio.get_running_loop().time()
