import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import Settings

from incidents.emails import incident_email
from reports.links import read_incident_token
from tests.backend.incidents.making import make_incident, make_inquiry
from tests.backend.people import make_guard, make_picture, make_property, make_user
from workflows.errors import RecipientNotFound

pytestmark = pytest.mark.django_db


def one_incident(reader: User) -> int:
    report = make_incident(
        property=make_property(reader, time_zone="America/Bogota"),
        guard=make_guard(phone="+1 555 0100"),
        note="Door forced.\nTwo people ran.",
        latitude="40.7",
        longitude="-74.1",
    )
    make_picture(report, "door.jpg")
    return make_inquiry(report, reader, task_token="").pk


@pytest.mark.usefixtures("noon")
def test_the_mail_says_where_who_what_and_until_when() -> None:
    reader = make_user()

    mail = incident_email(one_incident(reader))

    assert mail.to == reader.email
    assert re.fullmatch(r"Incident at Property 1, \d+ \w{3} \d{4} \d\d:\d\d: please acknowledge", mail.subject)
    for body in (mail.html, mail.text):
        for said in ("Property 1", "1 Example Street", "Guard 1", "+1 555 0100", "Door forced.", "Two people ran."):
            assert said in body
        assert "openstreetmap.org/?mlat=40.7" in body
        plain = re.sub(r"</?strong>", "", body)  # clocks at the place are five hours behind UTC
        assert "Please acknowledge by 12:15 UTC-05 that you are taking care of this." in plain
        assert "Without an answer from you by 12:05 UTC-05, the next supervisor is asked." in plain
    assert [image.alt for image in mail.images] == ["door.jpg"]


def test_the_link_opens_the_inquiry() -> None:
    inquiry_id = one_incident(make_user())

    mail = incident_email(inquiry_id)

    for body in (mail.html, mail.text):
        link = re.search(r"http://127\.0\.0\.1:8000/incidents/([^/\s\"]+)/", body)
        assert link is not None
        assert read_incident_token(link[1]) == inquiry_id
        assert "http://127.0.0.1:8000/reports/" in body


def test_the_mail_is_in_the_language_of_its_reader() -> None:
    mail = incident_email(one_incident(make_user(language="es")))

    assert '<html lang="es"' in mail.html


def test_the_times_count_from_when_the_mail_is_written(noon: datetime) -> None:
    long_ago = noon - timedelta(days=2)
    times: dict[str, Any] = {"asked_at": long_ago, "sign_by": long_ago, "answer_by": long_ago + timedelta(minutes=15)}

    mail = incident_email(make_inquiry(task_token="", **times).pk)

    assert "acknowledge by 12:15 EST that" in mail.text


def test_a_time_on_another_day_comes_with_its_date(noon: datetime, settings: Settings) -> None:
    settings.INCIDENT_HEARTBEAT_SECONDS = 3600
    times: dict[str, Any] = {"asked_at": noon, "sign_by": noon, "answer_by": noon + timedelta(hours=20)}

    mail = incident_email(make_inquiry(task_token="", **times).pk)

    assert "acknowledge by 25 Nov 2026 08:00 EST that" in mail.text


def test_the_name_of_a_place_cannot_break_the_mail() -> None:
    place = make_property(name="Gate\r\nBcc: x@example.com <script>alert(1)</script>")
    mail = incident_email(make_inquiry(make_incident(property=place)).pk)

    assert "\n" not in mail.subject
    assert "<script" not in mail.html


def test_who_can_get_no_mail_is_an_error_of_the_recipient() -> None:
    for inquiry in (
        make_inquiry(user=make_user(is_active=False)),
        make_inquiry(user=make_user(email="")),
        make_inquiry(make_incident(is_active=False)),
    ):
        with pytest.raises(RecipientNotFound):
            incident_email(inquiry.pk)


def test_no_mail_is_sent_about_an_acknowledged_incident() -> None:
    inquiry = make_inquiry(make_incident(acknowledged_at=timezone.now()))

    with pytest.raises(RecipientNotFound, match="is already acknowledged"):
        incident_email(inquiry.pk)


def test_a_deleted_account_does_not_end_the_escalation() -> None:
    inquiry = make_inquiry()
    inquiry_id = inquiry.pk
    inquiry.user.delete()

    with pytest.raises(RecipientNotFound):
        incident_email(inquiry_id)
