"""Makes the Lambda handler of a workflow's step."""

from collections.abc import Callable
from functools import wraps
from time import perf_counter
from typing import Any

from pydantic import BaseModel, ValidationError

from lambdas.shared.runtime.powertools import LambdaHandler, logger, metrics, traced
from workflows.errors import PayloadInvalid, StepError


def step[Input: BaseModel, Answer: BaseModel](
    input_model: type[Input],
) -> Callable[[Callable[[Input], Answer]], LambdaHandler]:
    """Decorate a function that takes and returns contract models as a Lambda handler.

    The event is validated as ``input_model``, or raises PayloadInvalid; the answer becomes JSON. All log lines have the
    task id; one line reports the outcome and the duration of the step.
    """

    def decorate(work: Callable[[Input], Answer]) -> LambdaHandler:
        @wraps(work)
        def run(event: dict[str, Any], context: Any) -> dict[str, Any]:
            keys = {
                "task_id": event.get("task_id") if isinstance(event, dict) else None,
                "function_request_id": getattr(context, "aws_request_id", None),
            }
            # Per thread, since several steps may run in one process.
            logger.thread_safe_append_keys(**keys)
            try:
                return _run(work, input_model, event)
            finally:
                logger.thread_safe_remove_keys(keys)

        return traced(run)

    return decorate


def _run[Input: BaseModel, Answer: BaseModel](
    work: Callable[[Input], Answer], input_model: type[Input], event: dict[str, Any]
) -> dict[str, Any]:
    started = perf_counter()
    try:
        answer = work(_parse(input_model, event))
    except StepError as error:
        logger.warning("step failed", error=type(error).__name__, cause=str(error), seconds=_since(started))
        raise
    except Exception:
        logger.exception("step crashed", seconds=_since(started))
        raise
    finally:
        if metrics.metric_set:
            metrics.flush_metrics()
    logger.info("step done", seconds=_since(started))
    return answer.model_dump(mode="json")


def problems_of(error: ValidationError) -> str:
    """Return the problems by field, without values, which may be personal data."""
    return "; ".join(
        f"/{'/'.join(map(str, item['loc']))} {item['msg']}"
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    )


def _parse[Input: BaseModel](input_model: type[Input], event: dict[str, Any]) -> Input:
    try:
        return input_model.model_validate(event)
    except ValidationError as error:
        remedy = "Give the state's Parameters the fields of this model."
        raise PayloadInvalid(input_model.__name__, f"{problems_of(error)}.", remedy) from None


def _since(started: float) -> float:
    return round(perf_counter() - started, 3)
