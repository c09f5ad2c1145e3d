"""Simulated time: what is to happen, in order."""

import heapq
from collections.abc import Callable
from typing import Any


class Clock:
    """Calls what it was told to call, at its time; what has the same time goes in the order it was told."""

    def __init__(self) -> None:
        self.now = 0.0
        self._told = 0
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []

    def at(self, when: float, call: Callable[..., None], *arguments: Any) -> None:
        """Have ``call`` called with ``arguments`` at ``when``, in seconds; at once if that is past."""
        self._told += 1
        heapq.heappush(self._events, (max(when, self.now), self._told, call, arguments))

    def after(self, seconds: float, call: Callable[..., None], *arguments: Any) -> None:
        """Have ``call`` called in so many seconds."""
        self.at(self.now + seconds, call, *arguments)

    @property
    def has_more(self) -> bool:
        """Whether anything is left to happen."""
        return bool(self._events)

    def run(self) -> None:
        """Go on until nothing is left to happen."""
        events, pop = self._events, heapq.heappop
        while events:
            self.now, _, call, arguments = pop(events)
            call(*arguments)
