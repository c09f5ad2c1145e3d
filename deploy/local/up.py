"""``make up``: the local stack, until it is stopped."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy import DeployError
from deploy.local.progress import Progress, short_path
from deploy.local.stack import LocalStack, StackOptions

CHECK_SECONDS = 0.5


class AlreadyRunning(DeployError):
    """The local stack is already running; the text has its address."""


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


@contextmanager
def only_one(folder: Path, what: str = "The local stack") -> Iterator[Path]:
    """Lock a folder against a second ``what``. Raises AlreadyRunning."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "stack.lock"
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, _, url = path.read_text().strip().partition(" ")
            where = f" at {url} (process {pid})" if url else ""
            raise AlreadyRunning(
                f"{what} is already running{where}. Wait for its end, or stop it with Ctrl-C."
            ) from None
        path.write_text("")
        yield path


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
  AWS           {stack.aws.endpoint}     for boto3, the AWS CLI and manage.py: set -a; . {folder}/stack.env
  Mails         {short_path(stack.mailbox.folder)}/*.eml
  Logs          {short_path(stack.logs)}/functions.log (every function), django.log, ministack.log

  Send a report:
    . {folder}/stack.env
    curl -H "X-Api-Key: $API_KEY" -H "X-Guard-ID: {stack.people["guard_ids"][0]}" \\
      -F files=@{sample} -F note="All quiet" $DJANGO_URL/api/mobile/guard-reports/
"""
