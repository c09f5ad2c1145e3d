"""Ends what the local stack started when the stack itself is killed and can not.

Reads lines ``<pid> <signal>`` from standard input, each a process to be ended, with the process group that it
leads; signal 0 takes it off the list. ``done`` means that the stack has ended them itself. The end of the
input without that word means that the stack is gone. Run with the standard library alone, in a session that
Ctrl-C does not reach.
"""

import os
import signal
import sys
import time

GRACE_SECONDS = 5.0


def main() -> None:
    """Read until the input ends, then end what is left."""
    signals: dict[int, int] = {}
    for line in sys.stdin:
        if line.strip() == "done":
            return
        pid, number = map(int, line.split())
        if number:
            signals[pid] = number
        else:
            signals.pop(pid, None)
    for pid, number in signals.items():
        _signal(pid, number)
    deadline = time.monotonic() + GRACE_SECONDS
    while any(map(_is_alive, signals)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in signals:
        _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: int) -> None:
    try:
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
