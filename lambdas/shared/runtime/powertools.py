"""The logger, tracer and metrics of every function.

Log lines are JSON, one a line, and carry ``task_id``, which is the execution's name. Nothing personal
is logged: ids and keys, never a name, an address, a subject or a note.
"""

import os

from aws_lambda_powertools import Logger, Metrics, Tracer

from lambdas.shared.runtime.settings import read_text

SERVICE = read_text("POWERTOOLS_SERVICE_NAME") or "qu-workflows"


def tracing_is_on() -> bool:
    """Return whether an X-Ray daemon is there to be told, as in a Lambda environment it always is."""
    switched_off = read_text("POWERTOOLS_TRACE_DISABLED").lower() in {"1", "true", "yes", "on"}
    return not switched_off and "LAMBDA_TASK_ROOT" in os.environ and "AWS_XRAY_DAEMON_ADDRESS" in os.environ


def _tracer() -> Tracer:
    if tracing_is_on():
        return Tracer(service=SERVICE)
    from lambdas.shared.runtime.tracing import NoTracing

    return Tracer(service=SERVICE, disabled=False, auto_patch=False, provider=NoTracing())


logger = Logger(service=SERVICE, utc=True)
metrics = Metrics(service=SERVICE, namespace=read_text("POWERTOOLS_METRICS_NAMESPACE") or "QUWorkflows")
tracer = _tracer()


def count(metric: str, value: int = 1) -> None:
    """Add to a metric that counts, such as ``EmailsSent``; it is written when the step ends."""
    metrics.add_metric(metric, unit="Count", value=value)
