"""The steps of workflows that run without a queue, in this process.

No other module of the backend imports the functions.
"""

import os
from collections.abc import Mapping

from qu_workflows.tasks.without_queue import StepHandler


def step_handlers() -> Mapping[str, StepHandler]:
    """Import and return the worker's handlers by function name."""
    # Nothing reads metrics from standard output here, and threads would share them.
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    from lambdas.await_acknowledgement.handler import lambda_handler as await_acknowledgement
    from lambdas.choose_person.handler import lambda_handler as choose_person
    from lambdas.in_process.send_email import lambda_handler as send_email
    from lambdas.inspect_file.handler import lambda_handler as inspect_file
    from lambdas.list_digests.handler import lambda_handler as list_digests
    from lambdas.load_report.handler import lambda_handler as load_report
    from lambdas.make_thumbnails.handler import lambda_handler as make_thumbnails
    from lambdas.record_acknowledgement.handler import lambda_handler as record_acknowledgement
    from lambdas.record_report.handler import lambda_handler as record_report
    from lambdas.render_email.handler import lambda_handler as render_email
    from lambdas.run_task.handler import lambda_handler as run_task

    return {
        "await_acknowledgement": await_acknowledgement,
        "choose_person": choose_person,
        "inspect_file": inspect_file,
        "list_digests": list_digests,
        "load_report": load_report,
        "make_thumbnails": make_thumbnails,
        "record_acknowledgement": record_acknowledgement,
        "record_report": record_report,
        "render_email": render_email,
        "run_task": run_task,
        "send_email": send_email,
    }


def in_process_handlers() -> Mapping[str, StepHandler]:
    """Import and return the handlers for a process without a worker."""
    from lambdas.in_process.await_acknowledgement import lambda_handler as await_acknowledgement

    return {**step_handlers(), "await_acknowledgement": await_acknowledgement}


def write_payload(key: str, data: bytes) -> None:
    """Store a payload that is too large for an execution's input."""
    from lambdas.shared.storage.objects import object_store

    object_store().write(key, data, "application/json")
