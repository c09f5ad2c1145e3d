"""The steps of workflows in this process: each handler with the context that Lambda would give it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import uuid4

type StepHandler = Callable[[Any, Any], Any]
type Step = Callable[[Any], Any]


class StepContext:
    """The part of the Lambda context that handlers may use: the invocation's id."""

    memory_limit_in_mb = 0
    function_version = "$LATEST"

    def __init__(self, function_name: str) -> None:
        self.function_name = function_name
        self.invoked_function_arn = f"arn:aws:lambda:local:000000000000:function:{function_name}"
        self.aws_request_id = str(uuid4())

    def get_remaining_time_in_millis(self) -> int:
        """Return the most that Lambda gives: nothing ends a step of this process from outside."""
        return 900_000


def steps_of(handlers: Mapping[str, StepHandler]) -> dict[str, Step]:
    """Return the steps that call these handlers, by the names that state machines have for them."""
    return {name: partial(_call, name, handler) for name, handler in handlers.items()}


def _call(name: str, handler: StepHandler, event: Any) -> Any:
    return handler(event, StepContext(name))
