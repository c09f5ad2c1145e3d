"""The steps of workflows that run without AWS: in the worker, or in this process.

No other module of the backend imports the functions.
"""

import os
from collections.abc import Mapping
from importlib import import_module

from qu_workflows.protocol.project import StepHandler


def step_handlers() -> Mapping[str, StepHandler]:
    """Import and return the handlers by function name."""
    # Nothing reads metrics from standard output here, and threads would share them.
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    from lambdas.in_process.send_email import lambda_handler as send_email
    from lambdas.shared.runtime.needs import step_names

    handlers = {name: import_module(f"lambdas.{name}.handler").lambda_handler for name in step_names()}
    return {**handlers, "send_email": send_email}


def write_payload(key: str, data: bytes) -> None:
    """Store a payload that is too large for an execution's input."""
    from lambdas.shared.storage.objects import object_store

    object_store().write(key, data, "application/json")
