"""Print the steps of a start with their seconds, and the progress of long ones."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from deploy import ROOT

LIVE_EVERY_SECONDS = 5.0
NAME_WIDTH = 12


class Progress:
    """Prints lines. Thread-safe."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream, self._live_at = stream, 0.0

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Time a step; print it with the details that the block appends, unless it raises."""
        started = time.monotonic()
        details: list[str] = []
        yield details
        self.say(f"  {name:{NAME_WIDTH}} {', '.join(details):<62} {time.monotonic() - started:5.1f} s")

    def say(self, text: str = "") -> None:
        """Print a line."""
        self._stream.write(f"{text}\n")  # one write: other threads' lines do not mix
        self._stream.flush()

    def live(self, text: str) -> None:
        """Print a line, at most every five seconds."""
        if time.monotonic() - self._live_at >= LIVE_EVERY_SECONDS:
            self._live_at = time.monotonic()
            self.say(text)


def short_path(path: Path) -> str:
    """Return a path relative to the root of the repository."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
