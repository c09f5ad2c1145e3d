"""A task's payload, whichever way it travelled: inline, or by S3 where it was too large."""

import json
from typing import Any

from lambdas.shared.storage.objects import ObjectStore
from qu_workflows.protocol.payload_size import payload_key_of
from workflows.errors import FileMissing, PayloadInvalid


def resolve_payload(
    payload: dict[str, Any] | None, payload_key: str | None, task_id: str, objects: ObjectStore
) -> dict[str, Any]:
    """Return a payload given inline, or read the one that lies under the task's own key.

    Safe to retry. Raises PayloadInvalid when it is given both ways or neither, under another key than
    the task's own, is gone, or is no JSON object; StorageUnavailable when the store does not answer.
    """
    if (payload is None) == (payload_key is None):
        raise PayloadInvalid("payload", "is given both ways or neither.", "Give payload or payload_key.")
    if payload is not None:
        return payload
    own_key = payload_key_of(task_id)
    if payload_key != own_key:  # else a message could make a step read any object of the bucket
        raise PayloadInvalid("payload_key", "is not this task's own key.", f"Use {own_key}.")
    return _json_object(own_key, objects)


def _json_object(key: str, objects: ObjectStore) -> dict[str, Any]:
    remedy = "Enqueue the task again."
    try:
        document = json.loads(objects.read(key))
    except FileMissing:
        raise PayloadInvalid(key, "is not in the store.", remedy) from None
    except (ValueError, RecursionError):
        raise PayloadInvalid(key, "is not JSON.", remedy) from None
    if not isinstance(document, dict):
        raise PayloadInvalid(key, "is not a JSON object.", remedy)
    return document
