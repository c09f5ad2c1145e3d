"""The X-Ray trace of a task: one, from its enqueueing to its last step, found by the task id.

Trace id and sampling follow from the task id, so that who sends it, who dispatches it and who sends it again say the
same, and nobody has to keep either. https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html
"""

from datetime import datetime
from hashlib import sha256

# 5 USD for a million traces: https://aws.amazon.com/xray/pricing/
DEFAULT_SAMPLED_PERCENT = 5


def trace_id_of(task_id: str, at: datetime) -> str:
    """Return the trace id, ``1-<seconds>-<96 bits>``. ``at`` is when the task was enqueued, with its zone."""
    return f"1-{int(at.timestamp()):08x}-{_digest(task_id)[:24]}"


def segment_id_of(task_id: str) -> str:
    """Return the id of the segment that tells of the enqueueing."""
    return _digest(task_id)[24:40]


def is_sampled(task_id: str, percent: int) -> bool:
    """Return whether this task is among the ``percent`` of a hundred that X-Ray keeps."""
    return int(_digest(task_id)[40:], 16) % 100 < percent


def trace_header(task_id: str, at: datetime, percent: int, parent: str = "") -> str:
    """Return the tracing header, as SQS takes it for AWSTraceHeader and StartExecution for traceHeader."""
    of_parent = f"Parent={parent};" if parent else ""
    return f"Root={trace_id_of(task_id, at)};{of_parent}Sampled={int(is_sampled(task_id, percent))}"


def _digest(task_id: str) -> str:
    return sha256(task_id.encode()).hexdigest()
