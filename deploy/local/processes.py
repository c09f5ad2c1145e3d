"""The processes of the local stack: started together, ended together, whatever happens to the one that started them."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types

from deploy import ROOT

STOP_SECONDS = 8.0
LOG_TAIL_LINES = 15


class ProcessEnded(Exception):
    """A process of the stack ended by itself; the text tells which, and what it said last."""


@dataclass
class _Child:
    process: subprocess.Popen[bytes]
    log_file: Path
    lasts: bool

    def obituary(self, name: str) -> str:
        tail = "\n".join(self.log_file.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
        return f"{name} ended with code {self.process.returncode}. The end of {self.log_file}:\n{tail}"


class Processes:
    """Child processes, each leading its own process group, so that Ctrl-C reaches this process alone.

    A watchdog process ends them when this process is killed. Threads may share it.
    """

    def __init__(self) -> None:
        self._children: dict[str, _Child] = {}
        self._lock, self._is_stopping = threading.Lock(), False
        self._watchdog = subprocess.Popen(  # noqa: S603  our own interpreter and script
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("watchdog.py"))],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def start(self, name: str, command: Sequence[str], log_file: Path, environment: Mapping[str, str]) -> None:
        """Start a process that lasts, its output going to a file. Raises ProcessEnded while all are being stopped."""
        self._start(name, command, log_file, environment, lasts=True)

    def run(self, name: str, command: Sequence[str], log_file: Path, environment: Mapping[str, str]) -> None:
        """Run a process to its end. Raises ProcessEnded when that is not a good one, also when it was stopped."""
        child = self._start(name, command, log_file, environment, lasts=False)
        if child.process.wait() != 0:
            raise ProcessEnded(child.obituary(name))
        self._tell_watchdog(child.process.pid, 0)

    def _start(
        self, name: str, command: Sequence[str], log_file: Path, environment: Mapping[str, str], *, lasts: bool
    ) -> _Child:
        with self._lock, log_file.open("ab") as log:
            if self._is_stopping:
                raise ProcessEnded(f"{name} was not started: the stack is being stopped.")
            process = subprocess.Popen(  # noqa: S603  the stack's own programs
                command,
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            child = self._children[name] = _Child(process, log_file, lasts)
        self._tell_watchdog(process.pid, signal.SIGTERM)
        return child

    def watch_over(self, pid: int, number: signal.Signals) -> None:
        """Have the watchdog send a signal to a process that an orderly stop ends in its own way."""
        self._tell_watchdog(pid, number)

    def check(self) -> None:
        """Raise ProcessEnded when one that was started to last is no longer running."""
        for name, child in list(self._children.items()):
            if child.lasts and child.process.poll() is not None:
                raise ProcessEnded(child.obituary(name))

    def stop(self) -> None:
        """End every process, the last started first, and the processes they started. Safe to call twice."""
        with self._lock:
            self._is_stopping = True
        for child in reversed(list(self._children.values())):
            descendants = _descendants(child.process.pid)
            _end(child.process)
            _end_all(descendants)
        self._children.clear()

    def dismiss_watchdog(self) -> None:
        """End the watchdog: whatever it watched over has been ended. Safe to call twice."""
        if self._watchdog.stdin is not None and not self._watchdog.stdin.closed:
            self._watchdog.stdin.write("done\n")
            self._watchdog.stdin.close()
        self._watchdog.wait()

    def _tell_watchdog(self, pid: int, number: int) -> None:
        with self._lock:
            if self._watchdog.stdin is not None and not self._watchdog.stdin.closed:
                self._watchdog.stdin.write(f"{pid} {int(number)}\n")
                self._watchdog.stdin.flush()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Tell whether nobody listens on a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        found: list[psutil.Process] = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return found


def _end_all(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        if process.is_running():
            process.kill()
    psutil.wait_procs(processes, timeout=STOP_SECONDS)
