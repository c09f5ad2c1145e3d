"""Each function under its own role: what its code reads and writes in the bucket, the template lets it.

The local stack asks nobody for rights, so a right that is missing would show on AWS alone.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from deploy.local.demo.uploads import SAMPLES
from deploy.packages.functions import FUNCTIONS_BY_NAME
from deploy.template.cloudformation import Template
from lambdas.inspect_file.facts import inspect_file
from lambdas.make_thumbnails.thumbnail_sizes import read_forms
from lambdas.make_thumbnails.thumbnails import make_thumbnails
from lambdas.send_email.sending import _read_mail
from lambdas.shared.decoding.limits import Limits
from lambdas.shared.storage.objects import DiskObjects
from lambdas.shared.storage.payloads import resolve_payload
from tests.backend.people import make_picture, make_property, make_report
from workflows.contracts.guard_report import StoredFile
from workflows.contracts.notification_email import EmailDocument, RenderEmailInput
from workflows.errors import FileMissing, PayloadInvalid

MEDIA_KEY = "media/guard_reports/2026/11/24/photographer.jpg"
PAYLOAD_KEY = "payloads/t-1.json"


class AccessDenied(Exception):
    """The role lacks the right."""


class ObjectsUnderRole:
    """A folder, with the rights to S3 that a function's role has."""

    def __init__(self, root: Path, translated: Template, function: str) -> None:
        self._objects = DiskObjects(root)
        role = translated["Resources"][f"{FUNCTIONS_BY_NAME[function].resource}Role"]["Properties"]
        self._statements = [one for policy in role["Policies"] for one in policy["PolicyDocument"]["Statement"]]

    def read(self, key: str) -> bytes:
        return b"".join(self.chunks(key))

    def chunks(self, key: str) -> Iterator[bytes]:
        self._ask("s3:GetObject", key)
        try:
            yield from self._objects.chunks(key)
        except FileMissing:
            self._ask_to_list(key)  # else S3 says of what is not there that one may not read it
            raise

    def write(self, key: str, data: bytes, media_type: str) -> None:
        self._ask("s3:PutObject", key)
        self._objects.write(key, data, media_type)

    def delete(self, key: str) -> None:
        self._ask("s3:DeleteObject", key)

    def _ask(self, action: str, key: str) -> None:
        patterns = [
            resource["Fn::Sub"].removeprefix("${Bucket.Arn}/")
            for statement in self._granting(action)
            for resource in statement["Resource"]
        ]
        if not any(fnmatchcase(key, pattern) for pattern in patterns):
            raise AccessDenied(f"{action} of {key}; there are {patterns}")

    def _ask_to_list(self, key: str) -> None:
        prefixes = [
            prefix
            for statement in self._granting("s3:ListBucket")
            for prefix in statement["Condition"]["StringLike"]["s3:prefix"]
        ]
        if not any(fnmatchcase(key, prefix) for prefix in prefixes):
            raise AccessDenied(f"s3:ListBucket for {key}; there are {prefixes}")

    def _granting(self, action: str) -> list[dict[str, Any]]:
        return [statement for statement in self._statements if action in statement["Action"]]


@pytest.fixture
def put(tmp_path: Path) -> DiskObjects:
    """The folder, for what others put there."""
    return DiskObjects(tmp_path)


def test_files_are_inspected_and_get_their_thumbnails_and_get_them_once(
    tmp_path: Path, translated: Template, put: DiskObjects
) -> None:
    put.write(MEDIA_KEY, (SAMPLES / "photographer.jpg").read_bytes(), "image/jpeg")
    inspecting = ObjectsUnderRole(tmp_path, translated, "inspect_file")
    drawing = ObjectsUnderRole(tmp_path, translated, "make_thumbnails")
    file = StoredFile(file_id=1, key=MEDIA_KEY, name="photographer.jpg")

    facts = inspect_file(MEDIA_KEY, inspecting.chunks(MEDIA_KEY), Limits())
    first = make_thumbnails(file, facts, drawing, read_forms(), Limits())
    again = make_thumbnails(file, facts, drawing, read_forms(), Limits())

    assert len(first.thumbnails) == len(read_forms())
    assert first == again


@pytest.mark.parametrize("function", ["inspect_file", "make_thumbnails"])
def test_a_file_that_is_gone_is_seen_to_be_gone(tmp_path: Path, translated: Template, function: str) -> None:
    with pytest.raises(FileMissing):
        ObjectsUnderRole(tmp_path, translated, function).read(MEDIA_KEY)


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["report", "digest"])
def test_a_mail_is_rendered_and_then_sent_with_its_pictures(
    tmp_path: Path, translated: Template, put: DiskObjects, kind: str
) -> None:
    from lambdas.render_email.handler import render

    place = make_property()
    report = make_report(property=place, report_datetime=datetime(2026, 3, 2, 17, 0, tzinfo=UTC))
    make_picture(report)
    sending = ObjectsUnderRole(tmp_path, translated, "send_email")
    user_id = place.owner.user.pk
    events: dict[str, dict[str, Any]] = {
        "report": {"report_id": report.pk, "recipient": {"user_id": user_id, "role": "client"}},
        "digest": {"digest": {"client_id": place.owner.pk, "user_id": user_id, "date": "2026-03-02"}},
    }

    rendered = render(
        RenderEmailInput.model_validate({"task_id": "t-1"} | events[kind]),
        ObjectsUnderRole(tmp_path, translated, "render_email"),
    )
    without_picture = _read_mail(rendered, sending, datetime.now(UTC))
    (image,) = EmailDocument.model_validate_json(put.read(rendered.email_key)).images
    put.write(image.key, b"\xff\xd8\xff", image.media_type)
    with_picture = _read_mail(rendered, sending, datetime.now(UTC))

    assert len(with_picture.raw) > len(without_picture.raw)


@pytest.mark.parametrize("function", ["render_email", "run_task"])
def test_a_payload_that_travelled_by_s3_is_read(
    tmp_path: Path, translated: Template, put: DiskObjects, function: str
) -> None:
    objects = ObjectsUnderRole(tmp_path, translated, function)

    with pytest.raises(PayloadInvalid, match="is not in the store"):
        resolve_payload(None, PAYLOAD_KEY, "t-1", objects)
    put.write(PAYLOAD_KEY, json.dumps({"data": "x"}).encode(), "application/json")
    assert resolve_payload(None, PAYLOAD_KEY, "t-1", objects) == {"data": "x"}


def test_the_sweep_may_delete_files_and_thumbnails_and_nothing_else(tmp_path: Path, translated: Template) -> None:
    sweeping = ObjectsUnderRole(tmp_path, translated, "run_task")

    for key in (MEDIA_KEY, "thumbnails/a/small.webp"):
        sweeping.delete(key)
    for key in (PAYLOAD_KEY, "emails/1.json"):
        with pytest.raises(AccessDenied):
            sweeping.delete(key)


@pytest.mark.parametrize("function", [name for name in FUNCTIONS_BY_NAME if name != "run_task"])
def test_no_other_function_deletes_anything(tmp_path: Path, translated: Template, function: str) -> None:
    with pytest.raises(AccessDenied):
        ObjectsUnderRole(tmp_path, translated, function).delete(MEDIA_KEY)


def test_the_watch_may_ask_both_queues_how_many_they_hold(translated: Template) -> None:
    role = translated["Resources"]["RunTaskFunctionRole"]["Properties"]
    statements = [one for policy in role["Policies"] for one in policy["PolicyDocument"]["Statement"]]

    [asked] = [one["Resource"] for one in statements if "sqs:GetQueueAttributes" in one["Action"]]
    assert [queue["Fn::GetAtt"][0] for queue in asked] == ["TasksQueue", "TasksDeadLetterQueue"]


def test_the_sampling_may_read_histories_of_this_stack_and_do_nothing_else_to_it(
    translated: Template,
) -> None:
    role = translated["Resources"]["RunTaskFunctionRole"]["Properties"]
    statements = [one for policy in role["Policies"] for one in policy["PolicyDocument"]["Statement"]]

    [asked] = [one for one in statements if any("states:" in action for action in _listed(one["Action"]))]
    assert asked["Action"] == "states:GetExecutionHistory"
    assert asked["Resource"]["Fn::Sub"].endswith(":execution:${Prefix}-${Stage}-*:*")


def _listed(given: str | list[str]) -> list[str]:
    return [given] if isinstance(given, str) else given


@pytest.mark.parametrize(
    ("function", "key"),
    [
        ("inspect_file", "emails/1.json"),
        ("make_thumbnails", "payloads/1.json"),
        ("render_email", MEDIA_KEY),
        ("run_task", "emails/1.json"),
        ("send_email", MEDIA_KEY),
        ("load_report", MEDIA_KEY),
        ("list_digests", MEDIA_KEY),
    ],
)
def test_what_is_none_of_its_business_it_can_not_read(
    tmp_path: Path, translated: Template, put: DiskObjects, function: str, key: str
) -> None:
    put.write(key, b"x", "text/plain")

    with pytest.raises(AccessDenied):
        ObjectsUnderRole(tmp_path, translated, function).read(key)
