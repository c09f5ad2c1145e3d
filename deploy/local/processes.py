"""Child processes of the local stack, which always end with their parent."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deploy import ROOT, DeployError

GUARD = Path(__file__).with_name("guard.py")
LOG_TAIL_LINES = 15


class ProcessEnded(DeployError):
    """A process of the stack ended by itself; the text has its last output."""


@dataclass
class _Child:
    name: str
    process: subprocess.Popen[bytes]
    log_file: Path
    lasts: bool

    def ended(self) -> ProcessEnded:
        tail = "\n".join(self.log_file.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
        code = self.process.returncode
        return ProcessEnded(f"{self.name} ended with code {code}. The end of {self.log_file}:\n{tail}")

    def stop(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()
        with suppress(ProcessLookupError, PermissionError):  # none is left, or on macOS only zombies
            os.killpg(self.process.pid, signal.SIGKILL)


class Processes:
    """Child processes, each under a guard that ends it with this process. Thread-safe."""

    def __init__(self) -> None:
        self._children: list[_Child] = []
        self._lock, self._is_stopping = threading.Lock(), False

    def start(self, name: str, command: Sequence[str], log_file: Path, environment: Mapping[str, str]) -> None:
        """Start a long-running process with its output in a file. Raises ProcessEnded during a stop."""
        self._start(name, command, log_file, environment, lasts=True)

    def run(self, name: str, command: Sequence[str], log_file: Path, environment: Mapping[str, str]) -> None:
        """Run a process to its end. Raises ProcessEnded for an exit code other than 0."""
        child = self._start(name, command, log_file, environment, lasts=False)
        if child.process.wait() != 0:
            raise child.ended()

    def check(self) -> None:
        """Raise ProcessEnded if a long-running process has ended."""
        for child in list(self._children):
            if child.lasts and child.process.poll() is not None:
                raise child.ended()

    def stop(self) -> None:
        """End every process and its descendants, the last started first. Safe to call twice."""
        with self._lock:
            self._is_stopping = True
        for child in reversed(self._children):
            child.stop()

    def _start(
        self, name: str, command: Sequence[str], log_file: Path, environment: Mapping[str, str], *, lasts: bool
    ) -> _Child:
        with self._lock, log_file.open("ab") as log:
            if self._is_stopping:
                raise ProcessEnded(f"{name} was not started: the stack is stopping.")
            process = subprocess.Popen(  # noqa: S603  the stack's own programs
                [sys.executable, "-I", "-S", str(GUARD), *command],
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            child = _Child(name, process, log_file, lasts)
            self._children.append(child)
        return child


def free_port() -> int:
    """Return a free port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Return whether a port of 127.0.0.1 is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
