"""The X-Ray trace of a task, from its enqueueing to its last step.

Trace id and sampling are computed from the task id, so that sender and dispatcher agree without storing them.
https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html
"""

from datetime import datetime
from hashlib import sha256

# 5 USD for a million traces: https://aws.amazon.com/xray/pricing/
DEFAULT_SAMPLED_PERCENT = 5


def trace_id_of(task_id: str, at: datetime) -> str:
    """Return the trace id, ``1-<seconds>-<96 bits>``; ``at`` is the aware enqueueing time."""
    return f"1-{int(at.timestamp()):08x}-{_digest(task_id)[:24]}"


def segment_id_of(task_id: str) -> str:
    """Return the id of the enqueueing's segment."""
    return _digest(task_id)[24:40]


def is_sampled(task_id: str, percent: int) -> bool:
    """Return whether X-Ray keeps this task, one of ``percent`` in a hundred."""
    return int(_digest(task_id)[40:], 16) % 100 < percent


def trace_header(task_id: str, at: datetime, percent: int, parent: str = "") -> str:
    """Return the header for SQS's AWSTraceHeader and StartExecution's traceHeader."""
    of_parent = f"Parent={parent};" if parent else ""
    return f"Root={trace_id_of(task_id, at)};{of_parent}Sampled={int(is_sampled(task_id, percent))}"


def _digest(task_id: str) -> str:
    return sha256(task_id.encode()).hexdigest()
