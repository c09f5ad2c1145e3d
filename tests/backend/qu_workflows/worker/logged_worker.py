"""Runs a worker whose steps log their calls: ``logged_worker.py LOG WORKER_DATABASE``."""

import os
import sys
import time
from pathlib import Path
from typing import Any

LOG, DATABASE = sys.argv[1:]
os.environ.update(
    USE_ASYNC_TASKS="True", WORKFLOW_ENGINE="worker", WORKER_DATABASE=DATABASE, WORKER_ADDRESS="127.0.0.1:0"
)

import django  # noqa: E402  the settings read the environment

django.setup()

from django.core.management import call_command  # noqa: E402  after the set-up

from qu_workflows.protocol.project import register_steps, registered_steps  # noqa: E402

ANSWER = {"email_key": "e", "send_once_key": "s", "status": "sent", "message_id": "m"}


def write(line: str) -> None:
    """Append a line in one write, which a kill cannot divide."""
    file = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{line}\n".encode())
    os.close(file)


def render_email(event: Any, _context: Any) -> Any:
    """Log the call, and take some milliseconds, in which a kill may come."""
    write(f"render_email {event['task_id']} {os.getpid()}")
    time.sleep(0.01)
    return ANSWER


def send_email(event: Any, _context: Any) -> Any:
    """Log the call, and perform the effect unless it was performed."""
    write(f"send_email {event['task_id']} {os.getpid()}")
    time.sleep(0.005)
    (Path(LOG).parent / "effects" / event["task_id"]).open("a").close()
    time.sleep(0.005)
    return ANSWER


registered = registered_steps()
assert registered is not None
handlers = {**registered.handlers(), "render_email": render_email, "send_email": send_email}
register_steps(lambda: handlers)
call_command("run_worker", "--concurrency", "4", "--skip-checks")
