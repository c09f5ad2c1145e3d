"""Logging, metrics and tracing of all functions.

Log lines are JSON and have ``task_id``, the name of the execution. They contain ids and keys, but no personal data:
no name, address, subject or note.
"""

import os
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger, Metrics

from lambdas.shared.runtime.settings import read_text

type LambdaHandler = Callable[[dict[str, Any], Any], dict[str, Any]]

SERVICE = read_text("POWERTOOLS_SERVICE_NAME") or "qu-workflows"

logger = Logger(service=SERVICE, utc=True)
metrics = Metrics(service=SERVICE, namespace=read_text("POWERTOOLS_METRICS_NAMESPACE") or "QUWorkflows")


def traced(handler: LambdaHandler) -> LambdaHandler:
    """Return the handler with X-Ray tracing if a daemon listens, else unchanged.

    Even a disabled tracer imports the X-Ray SDK and botocore: most of a small function's cold start.
    """
    if not tracing_is_on():
        return handler
    from aws_lambda_powertools import Tracer

    with_tracing: LambdaHandler = Tracer(service=SERVICE).capture_lambda_handler(handler, capture_response=False)
    return with_tracing


def tracing_is_on() -> bool:
    """Return whether an X-Ray daemon listens, as in any Lambda environment."""
    switched_off = read_text("POWERTOOLS_TRACE_DISABLED").lower() in {"1", "true", "yes", "on"}
    return not switched_off and "LAMBDA_TASK_ROOT" in os.environ and "AWS_XRAY_DAEMON_ADDRESS" in os.environ


def count(metric: str, value: int = 1) -> None:
    """Increase a metric such as ``EmailsSent``, written when the step ends."""
    metrics.add_metric(metric, unit="Count", value=value)
