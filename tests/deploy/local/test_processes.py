"""The stack's processes end together, however their parent ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from deploy import ROOT
from deploy.local.processes import ProcessEnded, Processes, free_port, is_free

# Starts a grandchild, says both ids, and would go on for a minute.
PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(os.getpid(), child.pid, flush=True)
time.sleep(60)
"""
# A stack that starts one such process and is then killed.
KILLED = f"""
import os, signal, sys, time
from pathlib import Path
from deploy.local.processes import Processes
log = Path(sys.argv[1])
Processes().start("parent", [sys.executable, "-c", {PARENT!r}], log, dict(os.environ))
while not log.read_text().strip():
    time.sleep(0.02)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def processes() -> Iterator[Processes]:
    processes = Processes()
    yield processes
    processes.stop()


def pids_in(log: Path) -> list[int]:
    return [int(word) for word in eventually(lambda: log.read_text().split()[:2])]


def eventually(look: Callable[[], list[str]], within_seconds: float = 10.0) -> list[str]:
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it never came")


def is_running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_stopping_ends_a_process_and_what_it_started(processes: Processes, tmp_path: Path) -> None:
    processes.start("parent", [sys.executable, "-c", PARENT], tmp_path / "log", os.environ)
    pids = pids_in(tmp_path / "log")

    processes.stop()

    eventually(lambda: ["gone"] if not any(map(is_running, pids)) else [])


def test_a_killed_stack_leaves_no_process(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    killed = subprocess.run([sys.executable, "-c", KILLED, str(log)], cwd=ROOT, check=False)

    assert killed.returncode == -signal.SIGKILL
    pids = pids_in(log)
    eventually(lambda: ["gone"] if not any(map(is_running, pids)) else [])


def test_a_process_that_ends_by_itself_is_reported_with_its_output(processes: Processes, tmp_path: Path) -> None:
    processes.start("poet", [sys.executable, "-c", "print('o captain'); exit(3)"], tmp_path / "log", os.environ)

    with pytest.raises(ProcessEnded, match=r"poet ended with code 3\.(.|\n)*o captain"):
        for _ in range(500):
            processes.check()
            time.sleep(0.02)


def test_a_failed_command_is_reported_with_its_output(processes: Processes, tmp_path: Path) -> None:
    with pytest.raises(ProcessEnded, match=r"migrate ended with code 1\.(.|\n)*no such table"):
        processes.run("migrate", [sys.executable, "-c", "exit('no such table')"], tmp_path / "log", os.environ)


def test_a_successful_command_raises_nothing(processes: Processes, tmp_path: Path) -> None:
    processes.run("migrate", [sys.executable, "-c", ""], tmp_path / "log", os.environ)

    processes.check()


def test_nothing_starts_once_all_are_being_stopped(processes: Processes, tmp_path: Path) -> None:
    processes.stop()

    with pytest.raises(ProcessEnded, match="the stack is stopping"):
        processes.start("late", [sys.executable, "-c", ""], tmp_path / "log", os.environ)


def test_a_free_port_is_free() -> None:
    assert is_free(free_port())
