"""Checks of the settings and the catalog for the task backend."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import WARNING, CheckMessage, Error, Info
from django.core.exceptions import ImproperlyConfigured

from qu_workflows.aws.queues import STEP_FUNCTIONS, WORKER, uses_queue
from qu_workflows.compat import InvalidTask
from qu_workflows.protocol.catalog import RUN_TASK
from qu_workflows.protocol.project import registered_project
from qu_workflows.tasks.outbox import OUTBOX, SYNC
from qu_workflows.tasks.registry import registered_tasks

_DROPPED = {
    "IN_PROCESS_WORKFLOWS": "Workflows run before the call returns; for a worker set WORKFLOW_ENGINE=worker.",
    "IN_PROCESS_RUNNER": "Call register_steps(…) in the ready() of one of your apps.",
    "STATE_MACHINES_DIR": "Register your project with state_machines=….",
    "STEP_FUNCTIONS_PACKAGE": "Give the handlers to register_steps.",
}


def check_settings() -> Iterator[CheckMessage]:
    """Yield the missing and contradictory settings of the queue."""
    for name, remedy in _DROPPED.items():
        if hasattr(settings, name):
            yield CheckMessage(
                WARNING, f"The setting {name} no longer has an effect.", hint=remedy, id="executions.W001"
            )
    if settings.TASK_FALLBACK not in (OUTBOX, SYNC):
        yield Error(
            f"TASK_FALLBACK is {settings.TASK_FALLBACK!r}.",
            hint=f"Set TASK_FALLBACK={OUTBOX} (keep the record, send it later) or {SYNC} (run it at once).",
            id="executions.E002",
        )
    yield from _check_engine()
    if not uses_queue():
        return
    if not settings.AWS_SQS_QUEUE_URL:
        yield Error(
            "USE_ASYNC_TASKS is on, but AWS_SQS_QUEUE_URL is not set.",
            hint="Set AWS_SQS_QUEUE_URL to the queue's URL, or USE_ASYNC_TASKS=False.",
            id="executions.E001",
        )
    for name in ("AWS_SQS_QUEUE_URL", "AWS_SQS_DLQ_URL"):
        yield from _check_queue_url(name, getattr(settings, name))
    yield from _check_queues_together()
    yield from _check_optional()


def _check_engine() -> Iterator[CheckMessage]:
    if settings.WORKFLOW_ENGINE not in (STEP_FUNCTIONS, WORKER):
        yield Error(
            f"WORKFLOW_ENGINE is {settings.WORKFLOW_ENGINE!r}.",
            hint=f"Set WORKFLOW_ENGINE={STEP_FUNCTIONS} (AWS) or {WORKER} (manage.py run_worker).",
            id="executions.E014",
        )


def check_catalog() -> Iterator[CheckMessage]:
    """Yield the differences between the registered tasks and the catalog."""
    try:
        registered = registered_tasks()
    except (ImproperlyConfigured, InvalidTask) as error:
        yield Error(str(error), hint="Give each task its own name and named parameters.", id="executions.E006")
        return
    known = registered_project().catalog
    for name, task in registered.items():
        if name not in known:
            yield Error(f"Task {name} is not in the catalog.", hint="Run make states.", id="executions.E007")
        elif known[name] != task.entry:
            yield Error(
                f"Task {name} has different parameters in the catalog.", hint="Run make states.", id="executions.E008"
            )
    # A workflow needs no function: it is enqueued by name.
    for name in [name for name, entry in known.items() if entry.workflow == RUN_TASK and name not in registered]:
        yield Error(
            f"Task {name} of the catalog is not in the tasks module of any installed app.",
            hint="Add its function, or run make states.",
            id="executions.E009",
        )


def _check_queue_url(name: str, url: str) -> Iterator[CheckMessage]:
    if not url:
        return
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.count("/") < 2:
        yield Error(
            f"{name} is {url!r}, not the URL of a queue.",
            hint=f"Set {name}=https://sqs.<region>.amazonaws.com/<account>/<name>.",
            id="executions.E003",
        )
    elif ".amazonaws.com" in f"{parts.hostname}." and settings.AWS_SQS_REGION not in parts.hostname.split("."):
        yield Error(
            f"{name} is not in AWS_SQS_REGION, which is {settings.AWS_SQS_REGION}: {url}",
            hint="Set AWS_SQS_REGION to the region in the URL.",
            id="executions.E004",
        )


def _check_queues_together() -> Iterator[CheckMessage]:
    queue, dlq = settings.AWS_SQS_QUEUE_URL, settings.AWS_SQS_DLQ_URL
    if queue and queue == dlq:
        yield Error(
            "AWS_SQS_DLQ_URL is the same queue as AWS_SQS_QUEUE_URL.",
            hint="Set AWS_SQS_DLQ_URL to the URL of the dead-letter queue.",
            id="executions.E005",
        )
    elif queue and dlq and queue.endswith(".fifo") != dlq.endswith(".fifo"):
        yield Error(
            "Only one of AWS_SQS_QUEUE_URL and AWS_SQS_DLQ_URL is a FIFO queue.",
            hint="Use a dead-letter queue of the task queue's type.",
            id="executions.E010",
        )


def _check_optional() -> Iterator[CheckMessage]:
    role = settings.AWS_SCHEDULER_ROLE_ARN
    if role and not role.startswith("arn:"):
        yield Error(
            f"AWS_SCHEDULER_ROLE_ARN is {role!r}, not an ARN.",
            hint="Set AWS_SCHEDULER_ROLE_ARN=arn:aws:iam::<account>:role/<name>.",
            id="executions.E011",
        )
    if not role:
        yield Info(
            "AWS_SCHEDULER_ROLE_ARN is not set: a task due in over 15 minutes stays recorded until it is nearly due.",
            hint="Set AWS_SCHEDULER_ROLE_ARN, or run the schedule send_outbox (or manage.py resend_tasks) often.",
            id="executions.I001",
        )
