"""The stepfunctions SDK with newer fields of ASL, and the retriers of every Task.

The SDK's last release does not support ``JitterStrategy`` and ``MaxDelaySeconds`` of a retrier, ``ItemProcessor`` and
``ItemSelector`` of a Map, and ``ResultSelector``. Fields are keywords in snake case, as in the SDK:
``max_delay_seconds`` renders as ``MaxDelaySeconds``.
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from pydantic import BaseModel
from stepfunctions import steps  # type: ignore[import-untyped]  # the SDK has no types
from stepfunctions.steps.fields import Field  # type: ignore[import-untyped]  # the SDK has no types

from workflows.errors import StepError
from workflows.project import function_arn

# Written out: the SDK's LambdaStep uses the partition of the author's own Region.
INVOKE = "arn:aws:states:::lambda:invoke"
INVOKE_AND_WAIT = f"{INVOKE}.waitForTaskToken"
TASK_TOKEN = "$$.Task.Token"  # noqa: S105  a path to one
EXECUTION_NAME = "$$.Execution.Name"
RETRY_COUNT = "$$.State.RetryCount"
MAP_ITEM = "$$.Map.Item.Value"
# For a step that uses the database or an AWS service.
TASK_TIMEOUT_SECONDS = 90

# Errors of the service: the function may not have run.
# https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html#bp-lambda-serviceexception
LAMBDA_TRANSIENT = (
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
)
# The function's concurrency is limited to what the database supports, and all instances were busy. Behind a full
# queue, six retries lose half of the executions, fifteen none.
LAMBDA_THROTTLED = ("Lambda.TooManyRequestsException",)
# The function ended without a response: killed, out of memory or timed out.
FUNCTION_CRASHES = ("Lambda.Unknown", "Runtime.ExitError", "Runtime.OutOfMemory", "Sandbox.Timedout")
THROTTLED_ATTEMPTS = 15
TIMEOUT = "States.Timeout"
HEARTBEAT_TIMEOUT = "States.HeartbeatTimeout"


class NewField(Enum):
    """Fields that the SDK does not know."""

    ItemProcessor = "item_processor"
    ItemSelector = "item_selector"
    JitterStrategy = "jitter_strategy"
    MaxDelaySeconds = "max_delay_seconds"
    ResultSelector = "result_selector"


class Retrier(steps.Retry):  # type: ignore[misc]  # the SDK has no types
    """A retrier whose delays are capped and, with ``jitter_strategy="FULL"``, spread."""

    def allowed_fields(self) -> list[Enum]:
        """Return the fields of a retrier."""
        return [*super().allowed_fields(), NewField.JitterStrategy, NewField.MaxDelaySeconds]


class LambdaTask(steps.Task):  # type: ignore[misc]  # the SDK has no types
    """A Task that invokes the function of the state's name with the optimized integration.

    The function gets the task id and ``payload``. ``answer`` is the contract of its output: these fields are the
    state's result, without the integration's envelope.
    """

    def __init__(
        self,
        name: str,
        *,
        payload: Mapping[str, str],
        answer: type[BaseModel],
        retry: Sequence[Retrier],
        timeout_seconds: int = TASK_TIMEOUT_SECONDS,
        **fields: Any,
    ) -> None:
        super().__init__(
            name,
            resource=INVOKE,
            parameters={"FunctionName": function_arn(name), "Payload": {"task_id.$": EXECUTION_NAME, **payload}},
            result_selector={f"{field}.$": f"$.Payload.{field}" for field in answer.model_fields},
            timeout_seconds=timeout_seconds,
            retry=list(retry),
            **fields,
        )

    def allowed_fields(self) -> list[Enum]:
        """Return the fields of a Task."""
        return [*super().allowed_fields(), NewField.ResultSelector]


class CallbackTask(steps.Task):  # type: ignore[misc]  # the SDK has no types
    """A Task that passes a task token to its function and waits for the callback.

    Its result is the output of SendTaskSuccess. Pass ``timeout_seconds_path`` and ``heartbeat_seconds_path``, or the
    same without ``_path``.
    https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html#connect-wait-token
    """

    def __init__(self, name: str, *, payload: Mapping[str, str], retry: Sequence[Retrier], **fields: Any) -> None:
        given = {"task_id.$": EXECUTION_NAME, "task_token.$": TASK_TOKEN, **payload}
        super().__init__(
            name,
            resource=INVOKE_AND_WAIT,
            parameters={"FunctionName": function_arn(name), "Payload": given},
            retry=list(retry),
            **fields,
        )


class InlineMap(steps.Map):  # type: ignore[misc]  # the SDK has no types
    """A Map in inline mode: its iterations are part of the execution's history."""

    def allowed_fields(self) -> list[Enum]:
        """Return the fields of a Map, with ItemProcessor in place of Iterator."""
        kept = [field for field in super().allowed_fields() if field not in {Field.Iterator, Field.Parameters}]
        return [*kept, NewField.ItemProcessor, NewField.ItemSelector, NewField.ResultSelector]

    def to_dict(self) -> dict[str, Any]:
        """Return the state as ASL."""
        state: dict[str, Any] = steps.states.State.to_dict(self)  # Map's own writes an Iterator
        graph = steps.Graph(self.item_processor).to_dict()
        return state | {"ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **graph}}


def state_machine(comment: str, start: steps.states.State, *, timeout_seconds: int) -> dict[str, Any]:
    """Return a workflow's definition: the machine's fields, and the states reachable from ``start``."""
    graph = steps.Graph(start, comment=comment, timeout_seconds=timeout_seconds)
    definition: dict[str, Any] = graph.to_dict()
    return definition | {"QueryLanguage": "JSONPath"}


def path_is(variable: str, *values: str) -> Any:
    """Return the Choice rule that the string at ``variable`` is one of ``values``."""
    rules = [steps.ChoiceRule.StringEquals(variable=variable, value=value) for value in values]
    return rules[0] if len(rules) == 1 else steps.ChoiceRule.Or(rules)


def names_of(errors: Sequence[type[Exception]]) -> list[str]:
    """Return the names of a contract's errors for ``ErrorEquals``."""
    return [error.__name__ for error in errors]


def retriers(
    *,
    transient: Sequence[type[StepError]],
    permanent: Sequence[type[Exception]],
    never: Sequence[str] = (),
    is_one_of_many: bool = False,
) -> list[Retrier]:
    """Return the retriers of a Task whose function raises these errors.

    ``never`` names more errors that are not retried. The first retrier that names an error decides, so the order
    matters: errors of Lambda, transient errors, permanent errors (no retry), then all others. Transient errors are
    retried after at most 2, 4, 8, 16, 32 and 60 seconds, others after at most 5, 10 and 20, throttled calls 15 times.
    ``FULL`` jitter spreads the retries of executions that failed together. ``is_one_of_many``: for iterations of a
    large Map, half the retries, after 20, 40 and 60 seconds, since each attempt adds three events to the history.
    """
    lambda_transient = [*LAMBDA_TRANSIENT, *LAMBDA_THROTTLED] if is_one_of_many else list(LAMBDA_TRANSIENT)
    throttled = [] if is_one_of_many else [_transient(list(LAMBDA_THROTTLED), is_one_of_many, THROTTLED_ATTEMPTS)]
    return [
        *throttled,
        _transient(lambda_transient, is_one_of_many),
        _transient(names_of(transient), is_one_of_many),
        Retrier(error_equals=[*names_of(permanent), *never], max_attempts=0),
        Retrier(
            error_equals=["States.ALL"],
            interval_seconds=5,
            max_attempts=3,
            backoff_rate=2,
            max_delay_seconds=60,
            jitter_strategy="FULL",
        ),
    ]


def _transient(error_equals: list[str], is_one_of_many: bool, attempts: int = 6) -> Retrier:
    return Retrier(
        error_equals=error_equals,
        interval_seconds=20 if is_one_of_many else 2,
        max_attempts=3 if is_one_of_many else attempts,
        backoff_rate=2,
        max_delay_seconds=60,
        jitter_strategy="FULL",
    )
