"""Validates dead letters: the execution that each would start, and why it cannot be dispatched.

The check is the dispatcher's own (``protocol.message.read_message``), with the catalog of this code. A message may pass
now that failed when it was received, for example because its task did not exist or Step Functions was throttled.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from qu_workflows.protocol.errors import MessageRejected
from qu_workflows.protocol.message import ExecutionStart, read_message, task_id_of
from qu_workflows.records.models import WAITING, TaskRecord

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

type Message = "MessageTypeDef"

CAN_BE_DISPATCHED = "CanBeDispatched"
ALREADY_STARTED = "AlreadyStarted"
RAN_IN_PROCESS = "RanInProcess"
# Moved by default: the dispatcher accepts them. It starts nothing for a name that is taken, and deletes the message.
ACCEPTED = (CAN_BE_DISPATCHED, ALREADY_STARTED)
_LOCAL_ARN = "arn:aws:states:local:"
_MAX_TASK_LENGTH = 255  # that of a task record


def reasons() -> list[str]:
    """Return all reasons: the three above, and the names of the dispatcher's errors."""
    rejections = sorted(leaf.__name__ for leaf in MessageRejected.__subclasses__())
    return [*ACCEPTED, RAN_IN_PROCESS, *rejections]


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """One message of the dead-letter queue.

    ``task_id`` names its execution, None without a valid id. ``why`` is None when it can be dispatched now.
    ``sent_at`` is when it was first sent (on a FIFO queue: when it became a dead letter). ``receive_count`` is SQS's
    ApproximateReceiveCount, over both queues. ``record_status`` is the task record's, "" without one. ``lacks_id``:
    its MessageId is used as the id, which a copy does not keep. ``start`` is what the dispatcher would start, None
    if it refuses. ``start``, ``body`` and the attributes are empty if they were not requested.
    """

    message_id: str
    task_id: str | None
    task: str | None
    reason: str
    why: str | None
    remedy: str
    record_status: str
    sent_at: datetime
    age_seconds: float
    receive_count: int
    lacks_id: bool
    body: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    message_attributes: Mapping[str, Any] = field(default_factory=dict)
    start: ExecutionStart | None = None

    @property
    def is_accepted(self) -> bool:
        """True if the dispatcher would accept the message now."""
        return self.reason in ACCEPTED

    def without_body(self) -> "DeadLetter":
        """Return the message without its large parts."""
        return replace(self, body="", attributes={}, message_attributes={}, start=None)

    def as_json(self) -> dict[str, Any]:
        """Return the message as JSON values; binary attributes in base64."""
        fields = asdict(replace(self, start=None)) | {
            "sent_at": self.sent_at.isoformat(),
            "age_seconds": round(self.age_seconds),
            "message_attributes": {
                name: {key: _text(part) for key, part in value.items()}
                for name, value in self.message_attributes.items()
            },
        }
        del fields["start"]
        return fields


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Conditions on messages, each empty for any message. ``ids`` are message or task ids."""

    task: str = ""
    ids: Sequence[str] = ()
    reason: str = ""

    def has(self, letter: DeadLetter) -> bool:
        """Return whether a message matches."""
        return (
            (not self.task or letter.task == self.task)
            and (not self.ids or letter.message_id in self.ids or letter.task_id in self.ids)
            and (not self.reason or letter.reason == self.reason)
        )

    @property
    def is_everything(self) -> bool:
        """True if every message matches."""
        return not (self.task or self.ids or self.reason)

    def missing_from(self, letters: Sequence[DeadLetter]) -> list[str]:
        """Return the ids that none of these messages has."""
        found = {letter.message_id for letter in letters} | {letter.task_id for letter in letters}
        return [given for given in self.ids if given not in found]


def judge(messages: Sequence[Message]) -> list[DeadLetter]:
    """Return messages as dead letters, validated by the dispatcher's check and their task records."""
    answers = [_read(message["Body"], message["MessageId"]) for message in messages]
    task_ids = [_task_id(message, answer) for message, answer in zip(messages, answers, strict=True)]
    known = TaskRecord.objects.only("status", "ran_inline", "execution_arn")
    records = known.in_bulk([task_id for task_id in task_ids if task_id])
    return [
        _dead_letter(message, answer, task_id, records.get(task_id or ""))
        for message, answer, task_id in zip(messages, answers, task_ids, strict=True)
    ]


def lacks_id(body: str) -> bool:
    """Return whether a body has no id of its own, nor a schedule."""
    message = _object(body)
    return message is not None and message.get("id") is None and message.get("schedule") is None


def _dead_letter(
    message: Message, answer: ExecutionStart | Exception, task_id: str | None, record: TaskRecord | None
) -> DeadLetter:
    body, attributes = message["Body"], message.get("Attributes", {})
    reason, why, remedy = _verdict(answer, record)
    sent_at = datetime.fromtimestamp(int(attributes.get("SentTimestamp", 0)) / 1000, UTC)
    start = answer if isinstance(answer, ExecutionStart) else None
    return DeadLetter(
        message_id=message["MessageId"],
        task_id=task_id,
        task=start.task if start else _task(body),
        reason=reason,
        why=why,
        remedy=remedy,
        record_status=record.status if record else "",
        sent_at=sent_at,
        age_seconds=max(0.0, (timezone.now() - sent_at).total_seconds()),
        receive_count=int(attributes.get("ApproximateReceiveCount", 0)),
        lacks_id=lacks_id(body),
        body=body,
        attributes={str(name): value for name, value in attributes.items()},
        message_attributes=dict(message.get("MessageAttributes", {})),
        start=start,
    )


def _read(body: str, message_id: str) -> ExecutionStart | Exception:
    try:
        return read_message(body, message_id)
    except Exception as error:  # noqa: BLE001  the dispatcher would fail too
        return error


def _verdict(answer: ExecutionStart | Exception, record: TaskRecord | None) -> tuple[str, str | None, str]:
    if isinstance(answer, MessageRejected):
        return type(answer).__name__, f"{answer.where}: {answer.problem}", answer.remedy
    if isinstance(answer, Exception):
        remedy = "Report this bug: the dispatcher fails with the same error."
        return type(answer).__name__, f"could not be validated ({answer!r}).", remedy
    if record is None or record.status in WAITING:
        return CAN_BE_DISPATCHED, None, "Its execution has not started. Redrive the message to start it."
    if record.ran_inline or record.execution_arn.startswith(_LOCAL_ARN):
        why = f"the task ran without the queue, in the web process, and is {record.status}."
        return RAN_IN_PROCESS, why, "A redrive would run it a second time. Purge it."
    return (
        ALREADY_STARTED,
        f"its execution has started and is {record.status}: a redrive starts nothing and deletes the message.",
        "To run the task again: manage.py executions redrive or restart. Redrive or purge this message to delete it.",
    )


def _object(body: str) -> dict[str, Any] | None:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def _task(body: str) -> str | None:
    task = (_object(body) or {}).get("task")
    return task[:_MAX_TASK_LENGTH] if isinstance(task, str) else None


def _task_id(message: Message, answer: ExecutionStart | Exception) -> str | None:
    if isinstance(answer, ExecutionStart):
        return answer.name
    return message["MessageId"] if lacks_id(message["Body"]) else task_id_of(message["Body"])


def _text(part: Any) -> Any:
    return base64.b64encode(part).decode() if isinstance(part, bytes) else part
