"""The stepfunctions SDK with the fields of the Amazon States Language that came after it.

The SDK's last release knows neither ``JitterStrategy`` and ``MaxDelaySeconds`` of a retrier, nor
``ItemProcessor`` and ``ItemSelector`` of a Map, nor ``ResultSelector``. A field is a keyword here
as it is in the SDK, in snake case: ``max_delay_seconds`` renders as ``MaxDelaySeconds``.
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from pydantic import BaseModel
from stepfunctions import steps  # type: ignore[import-untyped]  # the SDK has no types
from stepfunctions.steps.fields import Field  # type: ignore[import-untyped]  # the SDK has no types

from workflows.graphs.names import function_arn
from workflows.timeouts import MACHINE_TIMEOUT_SECONDS

# Spelled out, since the SDK's LambdaStep puts the partition of the author's own Region into it.
INVOKE = "arn:aws:states:::lambda:invoke"
INVOKE_AND_WAIT = f"{INVOKE}.waitForTaskToken"
TASK_TOKEN = "$$.Task.Token"  # noqa: S105  a path to one
EXECUTION_NAME = "$$.Execution.Name"
RETRY_COUNT = "$$.State.RetryCount"
MAP_ITEM = "$$.Map.Item.Value"
# Of a step that asks the database or a service of AWS.
TASK_TIMEOUT_SECONDS = 90


class NewField(Enum):
    """The fields that the SDK predates."""

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
    """A Task that invokes the function that bears the state's name, by the optimized integration.

    The function is given the task id beside ``payload``. ``answer`` is the contract of what it
    answers: its fields are the state's result, and the integration's envelope is dropped.
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
    """A Task that hands a task token to the function of its name, and waits until the token comes back.

    Its result is what SendTaskSuccess gives with the token. Give ``timeout_seconds_path`` and
    ``heartbeat_seconds_path``, or the same without ``_path``.
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
    """A Map in inline mode: its iterations are part of the same execution and its history."""

    def allowed_fields(self) -> list[Enum]:
        """Return the fields of a Map; ItemProcessor has taken Iterator's place."""
        kept = [field for field in super().allowed_fields() if field not in {Field.Iterator, Field.Parameters}]
        return [*kept, NewField.ItemProcessor, NewField.ItemSelector, NewField.ResultSelector]

    def to_dict(self) -> dict[str, Any]:
        """Return the state as ASL."""
        state: dict[str, Any] = steps.states.State.to_dict(self)  # Map's own writes an Iterator
        graph = steps.Graph(self.item_processor).to_dict()
        return state | {"ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **graph}}


def state_machine(workflow: str, comment: str, start: steps.states.State) -> dict[str, Any]:
    """Return a workflow's whole definition: the states that ``start`` leads to, and the machine's own fields."""
    graph = steps.Graph(start, comment=comment, timeout_seconds=MACHINE_TIMEOUT_SECONDS[workflow])
    definition: dict[str, Any] = graph.to_dict()
    return definition | {"QueryLanguage": "JSONPath"}


def path_is(variable: str, *values: str) -> Any:
    """Return the rule of a Choice that holds when the text at ``variable`` is one of ``values``."""
    rules = [steps.ChoiceRule.StringEquals(variable=variable, value=value) for value in values]
    return rules[0] if len(rules) == 1 else steps.ChoiceRule.Or(rules)


def names_of(errors: Sequence[type[Exception]]) -> list[str]:
    """Return the names by which ``ErrorEquals`` knows the errors of a contract."""
    return [error.__name__ for error in errors]
