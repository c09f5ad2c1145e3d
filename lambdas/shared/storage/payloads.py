"""Reads a task's payload: inline, or from the store if it was too large."""

import json
from typing import Any

from lambdas.shared.storage.objects import ObjectStore
from qu_workflows.protocol.message import payload_key_of
from workflows.errors import FileMissing, PayloadInvalid


def resolve_payload(
    payload: dict[str, Any] | None, payload_key: str | None, task_id: str, objects: ObjectStore
) -> dict[str, Any]:
    """Return an inline payload, or the stored one under the task's own key.

    Safe to retry. Raises StorageUnavailable, and PayloadInvalid if given both ways or neither, under another key,
    missing, or not a JSON object.
    """
    if (payload is None) == (payload_key is None):
        raise PayloadInvalid("payload", "is given both ways or neither.", "Give payload or payload_key.")
    if payload is not None:
        return payload
    own_key = payload_key_of(task_id)
    if payload_key != own_key:  # else a message could read any object of the bucket
        raise PayloadInvalid("payload_key", "is not this task's own key.", f"Use {own_key}.")
    remedy = "Enqueue the task again."
    try:
        document = json.loads(objects.read(own_key))
    except FileMissing:
        raise PayloadInvalid(own_key, "is not in the store.", remedy) from None
    except (ValueError, RecursionError):
        raise PayloadInvalid(own_key, "is not JSON.", remedy) from None
    if not isinstance(document, dict):
        raise PayloadInvalid(own_key, "is not a JSON object.", remedy)
    return document
