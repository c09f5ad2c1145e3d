"""The steps of the workflows, for running them in this process: what Step Functions and Lambda run elsewhere.

The state machines are the rendered ones, and the handlers those of the functions, found in the package
that STEP_FUNCTIONS_PACKAGE names by the functions that the state machines name: nothing of a message is
ever imported. A module of the package's ``in_process`` goes before the function of its name.
"""

import os
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from uuid import uuid4

from django.conf import settings

from qu_workflows.protocol.project import registered_project

_FUNCTION_ARN = re.compile(r"\$\{(\w+)FunctionArn\}")

type Step = Callable[[Any], Any]


class StepContext:
    """What a handler may ask of its Lambda context: which invocation this is."""

    memory_limit_in_mb = 0
    function_version = "$LATEST"

    def __init__(self, function_name: str) -> None:
        self.function_name = function_name
        self.invoked_function_arn = f"arn:aws:lambda:local:000000000000:function:{function_name}"
        self.aws_request_id = str(uuid4())

    def get_remaining_time_in_millis(self) -> int:
        """Return the most that Lambda gives: no one ends a step of this process from outside."""
        return 900_000


@cache
def steps_of(workflow: str) -> Mapping[str, Step]:
    """Return the handlers that a workflow's state machine names, by the folder of each. Imports them."""
    path = registered_project().state_machines / f"{workflow}.asl.json"
    names = {_folder_of(name) for name in _FUNCTION_ARN.findall(path.read_text(encoding="utf-8"))}
    return {name: _step(name) for name in sorted(names)}


def write_payload(key: str, data: bytes) -> None:
    """Put a payload that is too large for an execution's input where the steps read it."""
    objects = import_module(f"{settings.STEP_FUNCTIONS_PACKAGE}.shared.storage.objects")
    objects.object_store().write(key, data, "application/json")


def _folder_of(resource: str) -> str:
    """Return the folder of a function by its resource's name: MakeThumbnails is make_thumbnails."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", resource).lower()


def _step(name: str) -> Step:
    package = settings.STEP_FUNCTIONS_PACKAGE
    # Metrics go to CloudWatch by standard output, which here nobody reads; and threads would share one set.
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    here = f"{package}.in_process.{name}"
    handler = import_module(here if find_spec(here) else f"{package}.{name}.handler").lambda_handler

    return lambda event: handler(event, StepContext(name))
