"""The first segment of a task's trace. Step Functions and Lambda add the others.

It goes to the X-Ray daemon at ``AWS_XRAY_DAEMON_ADDRESS``, which Lambda always has. A datagram to no daemon costs
nothing; only the resolution of the daemon's host name may take time.
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html
"""

import json
import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from django.conf import settings

from qu_workflows.protocol.traces import is_sampled, segment_id_of, trace_header, trace_id_of

SEGMENT_NAME = "django"
_HEADER = b'{"format":"json","version":1}\n'


class TracedTask(NamedTuple):
    """The fields of a task's segment."""

    task_id: str
    task: str
    enqueued_at: datetime


def header_of(task_id: str, enqueued_at: datetime) -> str:
    """Return the tracing header of a task's message."""
    parent = segment_id_of(task_id) if _daemon() else ""
    return trace_header(task_id, enqueued_at, settings.TRACE_SAMPLED_PERCENT, parent)


def report_sent(tasks: Iterable[TracedTask], start_seconds: float, end_seconds: float) -> None:
    """Send the daemon a segment for each task; times are seconds since 1970. Raises nothing."""
    daemon = _daemon()
    sampled = [one for one in tasks if daemon and is_sampled(one.task_id, settings.TRACE_SAMPLED_PERCENT)]
    if daemon is None or not sampled:
        return
    # No daemon, a wrong address, or no descriptor left: the tasks were sent, and must not be sent again.
    with suppress(OSError, OverflowError, UnicodeError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for one in sampled:
            segment = {
                "trace_id": trace_id_of(one.task_id, one.enqueued_at),
                "id": segment_id_of(one.task_id),
                "name": SEGMENT_NAME,
                "start_time": start_seconds,
                "end_time": end_seconds,
                "annotations": {"task_id": one.task_id, "task": one.task},
            }
            out.sendto(_HEADER + json.dumps(segment).encode(), daemon)


def _daemon() -> tuple[str, int] | None:
    """Return the daemon's address from ``host:port`` or ``tcp:host:port udp:host:port``."""
    parts = os.environ.get("AWS_XRAY_DAEMON_ADDRESS", "").split()
    address = next((part.removeprefix("udp:") for part in parts if not part.startswith("tcp:")), "")
    host, _, port = address.rpartition(":")
    return (host, int(port)) if host and port.isascii() and port.isdigit() else None
