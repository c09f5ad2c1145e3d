import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from common.emails import text_of
from core.models import Property
from reports.emails import MAX_PICTURES, report_email
from reports.links import read_token
from reports.models import FileState, GuardReport
from tests.backend.people import (
    make_file,
    make_guard,
    make_old_picture,
    make_picture,
    make_property,
    make_report,
    make_user,
    make_video,
)
from workflows.contracts.guard_report import Recipient
from workflows.errors import RecipientNotFound, ReportNotFound

pytestmark = pytest.mark.django_db
UNKNOWN = 10**9
MOMENT = datetime(2026, 11, 24, 19, 5, tzinfo=UTC)


def report_to(place: Property | None = None, **fields: Any) -> GuardReport:
    return make_report(property=place or make_property(), report_datetime=MOMENT, **fields)


def mail_of(report: GuardReport, user: User | None = None, role: str = "supervisor") -> Any:
    return report_email(report.pk, Recipient(user_id=(user or make_user()).pk, role=role))


def test_the_mail_says_where_when_who_and_what() -> None:
    guard = make_guard(user=make_user("guard", first_name="Guard", last_name="7"))
    report = report_to(guard=guard, note="Gate open.\nClosed it.", latitude=Decimal("40.7"), longitude=Decimal("-74.1"))
    make_picture(report, "gate.jpg")
    make_file(report, "plan.pdf", status=FileState.ACCEPTED, kind="pdf", media_type="application/pdf", pages=3)
    reader = make_user("reader")

    mail = mail_of(report, reader)

    assert (mail.to, mail.sender) == (reader.email, "noreply@qusecurity.com")
    assert mail.subject == "Guard report – Property 1, 24 Nov 2026 14:05"  # noqa: RUF001  a dash, as people set it
    for body in (mail.html, mail.text):
        for said in ("Property 1", "1 Example Street", "Guard 7", "24 Nov 2026 14:05", "Gate open.", "Closed it."):
            assert said in body
        assert "EST" in body
        assert "gate.jpg" in body
        assert "JPEG, 4032 x 3024, 2.1 MB" in body
        assert "PDF, 3 pages, 1.2 KB" in body
        assert "openstreetmap.org/?mlat=40.7" in body


def test_the_mail_of_an_incident_says_that_it_is_one() -> None:
    mail, other = mail_of(report_to(is_incident=True)), mail_of(report_to())

    for body in (mail.html, mail.text):
        assert "Incident" in body
    for body in (other.html, other.text):
        assert "Incident" not in body


def test_no_mail_is_sent_about_an_inactive_report() -> None:
    report, reader = report_to(), make_user()
    report.deactivate()

    with pytest.raises(RecipientNotFound, match="is not active: no mail is sent about it"):
        mail_of(report, reader)


def test_the_link_opens_the_report_for_its_reader() -> None:
    report, reader = report_to(), make_user()

    mail = mail_of(report, reader)

    (token,) = re.findall(r"^http://127\.0\.0\.1:8000/reports/([^/]+)/$", mail.text, re.MULTILINE)
    assert read_token(token) == (report.pk, reader.pk)
    assert f'href="http://127.0.0.1:8000/reports/{token}/"' in mail.html


def test_pictures_are_shown_inline_and_as_jpeg() -> None:
    report = report_to()
    files = [make_picture(report, f"{number}.jpg") for number in range(MAX_PICTURES + 1)]

    mail = mail_of(report)

    assert [image.content_id for image in mail.images] == [f"file-{file.pk}" for file in files[:MAX_PICTURES]]
    assert {image.media_type for image in mail.images} == {"image/jpeg"}
    assert re.findall(r'src="cid:([^"]+)"', mail.html) == [image.content_id for image in mail.images]
    assert all(file.name in mail.html for file in files)


def test_a_thumbnail_of_an_earlier_version_is_shown() -> None:
    report = report_to()
    file = make_old_picture(report)

    (image,) = mail_of(report).images

    assert image.key == file.thumbnails.get(size="email").key


@pytest.mark.parametrize("left", ["image/webp", "image/jpeg"])
def test_other_sizes_than_the_usual_are_shown_as_well(left: str) -> None:
    report = report_to()
    file = make_video(report)
    file.thumbnails.exclude(media_type=left).delete()
    file.thumbnails.filter(size="medium").delete()

    (image,) = mail_of(report).images

    assert image.key == file.thumbnails.get(size="small").key


def test_videos_and_recordings_are_labeled() -> None:
    report = report_to(latitude=Decimal("40.7"), longitude=Decimal("-74.1"))
    moment = MOMENT.replace(day=20)
    make_video(report, captured_at=moment, camera="Fairphone 5", latitude=40.7289, longitude=-74.1)
    sound = {"kind": "audio", "media_type": "audio/amr", "width": None, "height": None, "duration_seconds": 7.1}
    make_picture(report, "memo.amr", **sound)

    mail = mail_of(report)

    for body in (mail.html, mail.text):
        assert "MP4 video, 1920 x 1080, 0:42, 2.1 MB" in body
        assert "AMR sound, 0:07" in body
        assert "Taken on 20 Nov 2026 14:05 with Fairphone 5" in body
        assert "40.72890, -74.10000" in body
        assert "walk.mp4 was taken 3.2 km from the place of the report" in body
    assert "▶︎ Video, 0:42" in text_of(mail.html)
    assert 'alt="Sound recording, 0:07: memo.amr"' in mail.html
    assert "thumbnails" in mail.images[0].key
    assert {image.media_type for image in mail.images} == {"image/jpeg"}


def test_a_refused_file_is_named_with_its_reason() -> None:
    report = report_to()
    make_file(report, "broken.jpg", status=FileState.REJECTED, error="UnreadableImage", reason="details for us")

    mail = mail_of(report)

    for body in (mail.html, mail.text):
        assert "One file could not be shown" in body
        assert "broken.jpg: The picture is damaged and cannot be shown." in body
        assert "details for us" not in body


def test_contradictions_are_listed() -> None:
    report = report_to()
    make_picture(report, "dock.png", media_type="image/jpeg")

    mail = mail_of(report)

    for body in (mail.html, mail.text):
        assert "Contradictions" in body
        assert "dock.png is named as PNG; its content is JPEG." in body


def test_everybody_reads_his_own_language() -> None:
    report = report_to()
    make_file(report, "broken.jpg", status=FileState.REJECTED, error="UnreadableImage")

    mail = mail_of(report, make_user(language="es"))

    assert mail.subject == "Reporte de guardia – Property 1, 24 Nov 2026 14:05"  # noqa: RUF001  a dash, as people set it
    assert '<html lang="es"' in mail.html
    for said in ("Guardia:", "Abrir el reporte", "La imagen está dañada", "El enlace es solo para usted"):
        assert said in mail.text


def test_the_time_is_that_of_the_place() -> None:
    mail = mail_of(report_to(make_property(time_zone="Europe/Madrid")))

    assert "24 Nov 2026 20:05 CET" in mail.text


def test_a_report_without_a_property_names_its_guard() -> None:
    mail = mail_of(make_report(make_guard(user=make_user(first_name="Guard", last_name="9")), report_datetime=MOMENT))

    assert mail.subject == "Guard report – Guard 9, 24 Nov 2026 14:05"  # noqa: RUF001  a dash, as people set it
    assert "Property:" not in mail.text


def test_each_reader_learns_why_he_gets_the_mail() -> None:
    place = make_property()
    report = report_to(place)

    assert "because Property 1 is your property" in mail_of(report, place.owner.user, "client").text
    assert "because you supervise" in mail_of(report).text


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ url }}{% now %}"]
)
def test_hostile_text_stays_text(hostile: str) -> None:
    place = make_property(name=hostile, address=hostile, owner=None or make_property().owner)
    report = report_to(place, note=hostile)
    make_picture(report, hostile)
    make_file(report, hostile, status=FileState.REJECTED, error="FileMissing")

    mail = mail_of(report)

    assert "<script" not in mail.html
    assert "<img src=x" not in mail.html
    assert hostile in mail.text
    assert hostile in text_of(mail.html)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=120))
def test_any_name_gives_a_subject_of_one_line(name: str) -> None:
    report = report_to(make_property(name=name))

    mail = mail_of(report)

    assert len(mail.subject.splitlines()) == 1
    assert len(mail.subject) <= 200


def test_a_mail_costs_a_fixed_number_of_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    report, reader = report_to(), make_user()
    for number in range(8):
        make_picture(report, f"{number}.jpg")

    with django_assert_num_queries(5):  # reader, report, files, thumbnails, shifts
        mail_of(report, reader)


def test_a_reader_who_can_get_no_mail_is_an_error() -> None:
    report = report_to()

    with pytest.raises(RecipientNotFound, match=f"user {UNKNOWN}: does not exist"):
        report_email(report.pk, Recipient(user_id=UNKNOWN, role="client"))
    with pytest.raises(RecipientNotFound, match="has no email address"):
        mail_of(report, make_user(email=""))
    with pytest.raises(RecipientNotFound, match="is not active"):
        mail_of(report, make_user(is_active=False))


def test_a_report_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ReportNotFound, match=f"report {UNKNOWN}"):
        report_email(UNKNOWN, Recipient(user_id=make_user().pk, role="client"))
