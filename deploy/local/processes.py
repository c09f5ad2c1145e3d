"""The processes of the local stack: started together, ended together, whatever happens to the one that started them."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types

from deploy.closure import ROOT

STOP_SECONDS = 8.0
LOG_TAIL_LINES = 15


class ProcessEnded(Exception):  # noqa: N818  errors are named as facts here
    """A process of the stack ended by itself; the text tells which, and what it said last."""


class Processes:
    """Child processes, each leading its own process group, so that Ctrl-C reaches this process alone.

    A watchdog process ends them when this process is killed.
    """

    def __init__(self) -> None:
        self._children: dict[str, tuple[subprocess.Popen[bytes], Path]] = {}
        self._watchdog = subprocess.Popen(  # noqa: S603  our own interpreter and script
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("watchdog.py"))],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def start(self, name: str, command: Sequence[str], log_file: Path, environment: Mapping[str, str]) -> int:
        """Start a process whose output goes to a file, and return its id."""
        with log_file.open("ab") as log:
            child = subprocess.Popen(  # noqa: S603  the stack's own programs
                command,
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._children[name] = (child, log_file)
        self.watch_over(child.pid, signal.SIGTERM)
        return child.pid

    def watch_over(self, pid: int, number: signal.Signals) -> None:
        """Have the watchdog send a signal to a process that ends itself in an orderly stop."""
        if self._watchdog.stdin is not None:
            self._watchdog.stdin.write(f"{pid} {number.value}\n")
            self._watchdog.stdin.flush()

    def check(self) -> None:
        """Raise ProcessEnded when one of them is no longer running."""
        for name, (child, log_file) in self._children.items():
            if child.poll() is not None:
                tail = "\n".join(log_file.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
                raise ProcessEnded(f"{name} ended with code {child.returncode}. The end of {log_file}:\n{tail}")

    def stop(self) -> None:
        """End every process, the last started first, and the processes they started. Safe to call twice."""
        for child, _ in reversed(self._children.values()):
            descendants = _descendants(child.pid)
            _end(child)
            _end_all(descendants)
        self._children.clear()
        self._dismiss_watchdog()

    def _dismiss_watchdog(self) -> None:
        if self._watchdog.stdin is not None and not self._watchdog.stdin.closed:
            self._watchdog.stdin.write("done\n")
            self._watchdog.stdin.close()
        self._watchdog.wait()


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
