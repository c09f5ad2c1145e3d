"""``python -m deploy.local up|demo [FILES…]``: the commands of make up and make demo."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from deploy import ROOT, DeployError
from deploy.local.demo.run import run_demo
from deploy.local.progress import Progress, short_path
from deploy.local.stack import LocalStack, StackOptions, only_one

LOCAL_DIR = ROOT / ".local"
CHECK_SECONDS = 0.5


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


def run_until_stopped(folder: Path, progress: Progress) -> int:
    """Run the stack until Ctrl-C or the end of the parent process."""
    with only_one(folder) as lock:
        # mails/ belongs to the demo, which may run at the same time.
        options = StackOptions(stays=True, mail_folder=folder / "inbox")
        stack = LocalStack(folder, options, progress)
        started = time.monotonic()
        progress.say("Starting the local stack")
        try:
            stack.start()
            stack.write_environment()
            lock.write_text(f"{os.getpid()} {stack.django_url}\n")
            progress.say(_welcome(stack, time.monotonic() - started))
            _watch(stack)
        except KeyboardInterrupt:
            progress.say("\nStopping")
        finally:
            stack.stop()
        progress.say(f"Stopped. Database and files stay in {short_path(folder)} for the next start.")
    return 0


def _watch(stack: LocalStack) -> None:
    parent = os.getppid()
    while os.getppid() == parent:
        stack.check()
        time.sleep(CHECK_SECONDS)


def _welcome(stack: LocalStack, seconds: float) -> str:
    folder, sample = short_path(stack.folder), "deploy/local/demo/samples/coffee.jpg"
    return f"""
Ready in {seconds:.0f} s. Ctrl-C ends it.

  Console       {stack.django_url}/console/   every task, execution, dead letter and schedule
  Back office   {stack.django_url}/admin/     user {stack.people["staff_username"]}, password in {folder}/stack.env
  API           {stack.django_url}/api/docs/
  AWS           {stack.aws.endpoint}     for boto3 and the AWS CLI: set -a; . {folder}/stack.env
  manage.py     make manage ARGS="executions list"
  Mails         {short_path(stack.mailbox.folder)}/*.eml
  Logs          {short_path(stack.logs)}/functions.log (every function), django.log, ministack.log

  Send a report:
    . {folder}/stack.env
    curl -H "X-Api-Key: $API_KEY" -H "X-Guard-ID: {stack.people["guard_ids"][0]}" \\
      -F files=@{sample} -F note="All quiet" $DJANGO_URL/api/mobile/guard-reports/
"""


if __name__ == "__main__":
    sys.exit(main())
