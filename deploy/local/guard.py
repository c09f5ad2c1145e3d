"""Run a command until it ends or standard input is closed.

The parent holds the other end of standard input; the operating system closes it when the parent is killed. Runs with
the standard library alone, as the leader of a session that Ctrl-C does not reach. Descendants of the command end too.
"""

import os
import signal
import subprocess
import sys
import threading

GRACE_SECONDS = 8.0


def main() -> int:
    """Run the command; return its exit code, or 128 plus its signal."""
    signal.signal(signal.SIGTERM, _do_nothing)  # sent to the whole group at the end
    command = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)  # noqa: S603  the stack's own programs
    threading.Thread(target=_stop_with_input, args=(command,), daemon=True).start()
    code = command.wait()
    os.killpg(0, signal.SIGTERM)
    return code if code >= 0 else 128 - code


def _do_nothing(_number: int, _frame: object) -> None:
    """Handle a signal; unlike SIG_IGN, the command does not inherit a handler."""


def _stop_with_input(command: "subprocess.Popen[bytes]") -> None:
    os.read(0, 1)  # returns at the end of input
    command.terminate()
    try:
        command.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
