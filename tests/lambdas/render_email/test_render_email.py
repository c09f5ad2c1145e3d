import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lambdas.render_email.handler import lambda_handler, render
from lambdas.shared.storage.objects import DiskObjects
from tests.backend.people import make_picture, make_property, make_report, make_user
from workflows.contracts.notification_email import EmailDocument, RenderEmailInput
from workflows.errors import PayloadInvalid, RecipientNotFound, TemplateInvalid

pytestmark = pytest.mark.django_db

WELCOME = {"subject": "Welcome!", "template_name": "emails/welcome.html", "context": {"name": "John"}}


@pytest.fixture
def objects(tmp_path: Path) -> DiskObjects:
    return DiskObjects(tmp_path)


def run(objects: DiskObjects, **event: Any) -> tuple[dict[str, Any], EmailDocument]:
    rendered = render(RenderEmailInput.model_validate({"task_id": "t-1"} | event), objects)
    return rendered.model_dump(), EmailDocument.model_validate_json(objects.read(rendered.email_key))


def test_the_key_of_a_report_mail_has_report_and_recipient(objects: DiskObjects) -> None:
    place = make_property()
    report = make_report(property=place)
    make_picture(report)
    reader = place.owner.user

    rendered, mail = run(objects, report_id=report.pk, recipient={"user_id": reader.pk, "role": "client"})

    once = f"guard_report/{report.pk}/{reader.pk}"
    assert rendered == {"email_key": f"emails/{once}/t-1.json", "send_once_key": once}
    assert mail.to == reader.email
    assert [image.media_type for image in mail.images] == ["image/jpeg"]


def test_the_key_of_a_digest_has_client_and_day(objects: DiskObjects) -> None:
    place = make_property()
    moment = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
    make_picture(make_report(property=place, report_datetime=moment))
    client = place.owner

    digest = {"client_id": client.pk, "user_id": client.user_id, "date": "2026-03-02"}
    rendered, mail = run(objects, digest=digest)

    once = f"digest/{client.pk}/2026-03-02"
    assert rendered == {"email_key": f"emails/{once}/t-1.json", "send_once_key": once}
    assert (mail.to, mail.subject) == (client.user.email, "2 Mar 2026 at Property 1: 1 report")
    assert [image.media_type for image in mail.images] == ["image/jpeg"]


def test_a_digest_of_an_inactive_client_is_an_error(objects: DiskObjects) -> None:
    place = make_property()
    make_report(property=place, report_datetime=datetime(2026, 3, 2, 17, 0, tzinfo=UTC))
    place.owner.deactivate()

    with pytest.raises(RecipientNotFound, match=f"client {place.owner_id}: is not active"):
        run(objects, digest={"client_id": place.owner_id, "user_id": place.owner.user_id, "date": "2026-03-02"})


def test_the_key_of_a_notification_has_its_task(objects: DiskObjects) -> None:
    user = make_user()

    rendered, mail = run(objects, payload=WELCOME | {"user_id": user.pk})

    assert rendered == {
        "email_key": "emails/notification_email/t-1/t-1.json",
        "send_once_key": "notification_email/t-1",
    }
    assert (mail.to, mail.subject) == (user.email, "Welcome!")
    assert "Welcome, John!" in mail.html


def test_a_payload_in_s3_is_read(objects: DiskObjects) -> None:
    payload = WELCOME | {"user_id": make_user().pk}
    objects.write("payloads/t-1.json", json.dumps(payload).encode(), "application/json")

    _rendered, mail = run(objects, payload={"payload_key": "payloads/t-1.json"})

    assert mail.subject == "Welcome!"


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"payload": {"payload_key": "payloads/of-another.json"}},
        {"payload": {}},
        {"payload": WELCOME},
        {"payload": WELCOME | {"user_id": 1, "template_name": "admin/base.html"}},
        {"payload": WELCOME | {"user_id": 1, "subject": "two\nlines"}},
        {"report_id": 1},
    ],
)
def test_an_unknown_kind_of_mail_is_an_error(objects: DiskObjects, event: dict[str, Any]) -> None:
    with pytest.raises(PayloadInvalid):
        run(objects, **event)


def test_errors_of_a_mail_are_raised_unchanged(objects: DiskObjects) -> None:
    user = make_user()

    with pytest.raises(RecipientNotFound):
        run(objects, payload=WELCOME | {"user_id": 10**9})
    with pytest.raises(TemplateInvalid):
        run(objects, payload=WELCOME | {"user_id": user.pk, "template_name": "emails/missing.html"})


def test_a_retry_writes_the_same_mail(objects: DiskObjects) -> None:
    event = {"payload": WELCOME | {"user_id": make_user().pk}}

    assert run(objects, **event) == run(objects, **event)


def test_the_handler_uses_the_store_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DJANGO_MEDIA_ROOT", str(tmp_path / "media"))
    user = make_user()

    answer = lambda_handler({"task_id": "t-1", "payload": WELCOME | {"user_id": user.pk}}, None)

    assert json.loads((tmp_path / answer["email_key"]).read_text())["to"] == user.email
