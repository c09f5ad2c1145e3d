"""The sizes of payloads: which travel inline, which through S3, and which are refused."""

from qu_workflows.protocol.catalog import CatalogEntry
from qu_workflows.protocol.errors import MessageRejected

# AWS: input of an execution, 256 KiB as UTF-8, hard.
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MAX_EXECUTION_INPUT_BYTES = 262_144
# What a state's Parameters add to the input, and what the next state would fail by: States.DataLimitExceeded.
STATE_RESERVE_BYTES = 4096
# Above this a payload goes to S3 and travels as a key; the head-room is for what states add.
MAX_INLINE_PAYLOAD_BYTES = 200 * 1024
MAX_PAYLOAD_BYTES = 5 * 1024 * 1024


class PayloadTooLarge(MessageRejected):
    """The payload is larger than its way of travelling allows."""


def payload_key_of(task_id: str) -> str:
    """Return the S3 key under which a task's payload lies when it does not travel inline."""
    return f"payloads/{task_id}.json"


def travels_inline(entry: CatalogEntry, size_bytes: int) -> bool:
    """Return whether a payload travels in its message, and not through S3. Raises PayloadTooLarge for neither."""
    if size_bytes <= MAX_INLINE_PAYLOAD_BYTES:
        return True
    where = f"{entry.task} /payload"
    if not entry.by_reference:
        limit = f"{size_bytes:,} bytes; {entry.task} takes {MAX_INLINE_PAYLOAD_BYTES:,}."
        raise PayloadTooLarge(where, limit, "Give less.")
    if size_bytes > MAX_PAYLOAD_BYTES:
        limit = f"{size_bytes:,} bytes; a task carries {MAX_PAYLOAD_BYTES:,}."
        raise PayloadTooLarge(where, limit, "Store the data and give its id or key.")
    return False


def check_execution_input(input_json: str, task_id: str) -> None:
    """Raise PayloadTooLarge for an input that no execution takes."""
    size, most = len(input_json.encode()), MAX_EXECUTION_INPUT_BYTES - STATE_RESERVE_BYTES
    if size > most:
        raise PayloadTooLarge(
            "/payload",
            f"{size:,} bytes as an execution's input; a workflow takes {most:,}.",
            f"Put the payload in S3 under {payload_key_of(task_id)} and send payload_key.",
        )
