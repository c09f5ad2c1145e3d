"""The processes of the local stack: started together, ended together, whatever happens to the one that started them."""

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
    """A process of the stack ended by itself; the text says which, and what it printed last."""


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
        with suppress(ProcessLookupError, PermissionError):  # nothing is left, or on macOS only zombies
            os.killpg(self.process.pid, signal.SIGKILL)


class Processes:
    """Child processes, each below a guard that ends it when this process stops or is killed. Threads may share it."""

    def __init__(self) -> None:
        self._children: list[_Child] = []
        self._lock, self._is_stopping = threading.Lock(), False

    def start(self, name: str, command: Sequence[str], log_file: Path, environment: Mapping[str, str]) -> None:
        """Start a process that lasts, its output going to a file. Raises ProcessEnded while all are being stopped."""
        self._start(name, command, log_file, environment, lasts=True)

    def run(self, name: str, command: Sequence[str], log_file: Path, environment: Mapping[str, str]) -> None:
        """Run a process to its end. Raises ProcessEnded when that is not a good one, also when it was stopped."""
        child = self._start(name, command, log_file, environment, lasts=False)
        if child.process.wait() != 0:
            raise child.ended()

    def check(self) -> None:
        """Raise ProcessEnded when one that was started to last is no longer running."""
        for child in list(self._children):
            if child.lasts and child.process.poll() is not None:
                raise child.ended()

    def stop(self) -> None:
        """End every process, the last started first, and the processes they started. Safe to call twice."""
        with self._lock:
            self._is_stopping = True
        for child in reversed(self._children):
            child.stop()

    def _start(
        self, name: str, command: Sequence[str], log_file: Path, environment: Mapping[str, str], *, lasts: bool
    ) -> _Child:
        with self._lock, log_file.open("ab") as log:
            if self._is_stopping:
                raise ProcessEnded(f"{name} was not started: the stack is being stopped.")
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
    """Return a port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Return whether nothing listens on a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
