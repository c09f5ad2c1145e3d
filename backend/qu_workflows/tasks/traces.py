"""The first part of a task's trace: that Django sent it. The rest is told by Step Functions and Lambda.

Told to the X-Ray daemon where there is one: in Lambda always, beside a container where
``AWS_XRAY_DAEMON_ADDRESS`` names it. A datagram that nobody takes costs nothing: neither a request nor a task
waits for X-Ray, only for the name of the daemon's host, where it is a name, as long as DNS takes to resolve it.
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html
"""

import json
import os
import socket
from collections.abc import Iterable
from contextlib import suppress

from django.conf import settings

from qu_workflows.protocol.traces import is_sampled, segment_id_of, trace_header, trace_id_of
from qu_workflows.records.models import TaskRecord

SEGMENT_NAME = "django"
_HEADER = b'{"format":"json","version":1}\n'


def header_of(record: TaskRecord) -> str:
    """Return the tracing header that a task is sent with."""
    parent = segment_id_of(record.pk) if _daemon() else ""
    return trace_header(record.pk, record.enqueued_at, settings.TRACE_SAMPLED_PERCENT, parent)


def tell_sent(records: Iterable[TaskRecord], start_seconds: float, end_seconds: float) -> None:
    """Tell X-Ray's daemon of tasks that were sent between two times, in seconds since 1970. Raises nothing."""
    daemon = _daemon()
    sampled = [one for one in records if daemon and is_sampled(one.pk, settings.TRACE_SAMPLED_PERCENT)]
    if daemon is None or not sampled:
        return
    # The daemon is gone, its address is none, no descriptor is left: the tasks were sent, and would be sent again.
    with suppress(OSError, OverflowError, UnicodeError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for record in sampled:
            segment = {
                "trace_id": trace_id_of(record.pk, record.enqueued_at),
                "id": segment_id_of(record.pk),
                "name": SEGMENT_NAME,
                "start_time": start_seconds,
                "end_time": end_seconds,
                "annotations": {"task_id": record.pk, "task": record.task},
            }
            out.sendto(_HEADER + json.dumps(segment).encode(), daemon)


def _daemon() -> tuple[str, int] | None:
    """Return where the daemon listens: of ``host:port`` or ``tcp:host:port udp:host:port``."""
    parts = os.environ.get("AWS_XRAY_DAEMON_ADDRESS", "").split()
    address = next((part.removeprefix("udp:") for part in parts if not part.startswith("tcp:")), "")
    host, _, port = address.rpartition(":")
    return (host, int(port)) if host and port.isascii() and port.isdigit() else None
