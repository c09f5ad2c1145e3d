"""Runs a command until it ends, or until standard input does.

Who started this holds the other end of that pipe: closing it stops the command, and so does being killed, since the
operating system closes it then. Run with the standard library alone, as the leader of a session that Ctrl-C does not
reach; what the command has started ends with it.
"""

import os
import signal
import subprocess
import sys
import threading

GRACE_SECONDS = 8.0


def main() -> int:
    """Run the command of the arguments and return its exit code, 128 and a signal's number if it ended by one."""
    signal.signal(signal.SIGTERM, _do_nothing)  # sent to the whole group at the end
    command = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)  # noqa: S603  the stack's own programs
    threading.Thread(target=_stop_with_input, args=(command,), daemon=True).start()
    code = command.wait()
    os.killpg(0, signal.SIGTERM)
    return code if code >= 0 else 128 - code


def _do_nothing(_number: int, _frame: object) -> None:
    """Handle a signal, which a command that is started does not inherit, unlike ignoring it."""


def _stop_with_input(command: "subprocess.Popen[bytes]") -> None:
    os.read(0, 1)  # nothing ever comes: it returns at the end
    command.terminate()
    try:
        command.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
