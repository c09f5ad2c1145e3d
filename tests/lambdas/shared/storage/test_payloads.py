"""A payload is inline, or in the store under the task's own key."""

import json
from pathlib import Path
from typing import Any

import pytest

from lambdas.shared.storage.objects import DiskObjects
from lambdas.shared.storage.payloads import resolve_payload
from qu_workflows.protocol.message import payload_key_of
from workflows.errors import PayloadInvalid

TASK_ID = "0193-task"


@pytest.fixture
def objects(tmp_path: Path) -> DiskObjects:
    return DiskObjects(tmp_path)


def test_an_inline_payload_is_returned(objects: DiskObjects) -> None:
    assert resolve_payload({"report_id": 1}, None, TASK_ID, objects) == {"report_id": 1}


def test_a_large_payload_is_read_from_the_tasks_own_key(objects: DiskObjects) -> None:
    objects.write(payload_key_of(TASK_ID), b'{"rows": [1, 2]}', "application/json")

    assert resolve_payload(None, payload_key_of(TASK_ID), TASK_ID, objects) == {"rows": [1, 2]}


@pytest.mark.parametrize("key", ["payloads/other.json", "media/guard_reports/a.json", "../payloads/0193-task.json", ""])
def test_another_object_cannot_be_read(objects: DiskObjects, key: str) -> None:
    objects.write("payloads/other.json", b"{}", "application/json")

    with pytest.raises(PayloadInvalid, match="own key"):
        resolve_payload(None, key, TASK_ID, objects)


@pytest.mark.parametrize("data", [b"not json", b"[1]", b"null", b"\xff", b"[" * 100_000])
def test_another_content_than_a_json_object_is_refused(objects: DiskObjects, data: bytes) -> None:
    objects.write(payload_key_of(TASK_ID), data, "application/json")

    with pytest.raises(PayloadInvalid, match="JSON"):
        resolve_payload(None, payload_key_of(TASK_ID), TASK_ID, objects)


@pytest.mark.parametrize(("payload", "key"), [(None, None), ({}, payload_key_of(TASK_ID))])
def test_a_payload_is_given_one_way(objects: DiskObjects, payload: dict[str, Any] | None, key: str | None) -> None:
    with pytest.raises(PayloadInvalid, match="both ways or neither"):
        resolve_payload(payload, key, TASK_ID, objects)


def test_a_missing_payload_is_refused(objects: DiskObjects) -> None:
    with pytest.raises(PayloadInvalid, match="not in the store"):
        resolve_payload(None, payload_key_of(TASK_ID), TASK_ID, objects)


def test_an_empty_inline_payload_is_a_payload(objects: DiskObjects) -> None:
    assert resolve_payload(json.loads("{}"), None, TASK_ID, objects) == {}
