"""``python -m deploy.local up|demo [FILES…]``: the commands of make up and make demo."""

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from deploy import ROOT, DeployError
from deploy.local.demo.run import run_demo
from deploy.local.progress import Progress
from deploy.local.up import run_until_stopped

LOCAL_DIR = ROOT / ".local"


def main() -> int:
    """Run the command and return its exit code, 130 after Ctrl-C during the start."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="The local stack, until Ctrl-C.")
    demo = commands.add_parser("demo", help="Guard reports from upload to mail, then stop.")
    demo.add_argument("files", nargs="*", type=Path, help="Files to upload instead of the samples.")
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)  # SIGINT too: background jobs of a shell ignore it
    os.umask(0o077)  # .local contains passwords, keys and mails
    progress = Progress()
    try:
        if arguments.command == "up":
            return run_until_stopped(LOCAL_DIR, progress)
        return run_demo(LOCAL_DIR, arguments.files, progress)
    except KeyboardInterrupt:
        progress.say("Stopped.")
        return 128 + signal.SIGINT
    except DeployError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Handle every termination signal like Ctrl-C."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
