"""Says what is going on: a line that changes in place on a terminal, plain lines in a log."""

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TextIO

from deploy import ROOT

# In a log a line that only counts up is worth repeating this often.
LOG_EVERY_SECONDS = 5.0
NAME_WIDTH = 12
INDENT = " " * (NAME_WIDTH + 3)


class Progress:
    """Prints steps as they end, and below them one line of what is under way. Threads may share it."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream, self._is_terminal, self._lock = stream, stream.isatty(), Lock()
        self._live, self._logged, self._logged_at = "", "", 0.0

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Time a step; what the block appends to the list is printed beside its name when it ends well."""
        started = time.monotonic()
        details: list[str] = []
        yield details
        self.done(name, ", ".join(details), time.monotonic() - started)

    def done(self, name: str, detail: str, seconds: float) -> None:
        """Print that a step has ended."""
        self.say(f"  {name:{NAME_WIDTH}} {detail:<62} {seconds:5.1f} s")

    def say(self, text: str = "") -> None:
        """Print a line that stays."""
        with self._lock:
            self._clear()
            print(text, file=self._stream, flush=True)
            self._draw()

    def live(self, text: str) -> None:
        """Show what is under way, in place of what was shown before."""
        with self._lock:
            if self._is_terminal:
                self._clear()
                # A line that wraps could not be cleared.
                self._live = text[: shutil.get_terminal_size().columns - 1]
                self._draw()
            elif text != self._logged and time.monotonic() - self._logged_at >= LOG_EVERY_SECONDS:
                self._logged, self._logged_at = text, time.monotonic()
                print(text, file=self._stream, flush=True)

    def settle(self, text: str) -> None:
        """Print the last state of what was under way, as a line that stays."""
        with self._lock:
            self._clear()
            self._live = ""
            if text != self._logged:
                print(text, file=self._stream, flush=True)

    def _clear(self) -> None:
        if self._is_terminal and self._live:
            self._stream.write("\r\x1b[2K")

    def _draw(self) -> None:
        if self._is_terminal and self._live:
            self._stream.write(self._live)
            self._stream.flush()


def short_path(path: Path) -> str:
    """Return a path as it is typed at the root of the repository."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
