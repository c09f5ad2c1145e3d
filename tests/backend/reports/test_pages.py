import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from reports.links import REPORT_PAGE_PATH, report_url
from reports.models import FileState, GuardReport
from tests.backend.clock import at
from tests.backend.people import (
    make_file,
    make_old_picture,
    make_picture,
    make_property,
    make_reader,
    make_report,
    make_user,
    make_video,
)

pytestmark = pytest.mark.django_db


def path_to(report: GuardReport, reader: User) -> str:
    return report_url(report.pk, reader.pk).removeprefix("http://127.0.0.1:8000")


def open_page(report: GuardReport, reader: User) -> Any:
    return Client().get(path_to(report, make_reader(report, reader)))


def test_a_link_ends_with_the_right_to_read() -> None:
    place = make_property()
    report, owner = make_report(property=place), place.owner
    supervisor = make_reader(report)
    clerk = make_user(is_staff=True)
    readers = (supervisor, owner.user, clerk, make_user())

    def statuses() -> list[int]:
        return [Client().get(path_to(report, reader)).status_code for reader in readers]

    assert statuses() == [200, 200, 404, 404]
    place.supervisor_links.all().delete()
    owner.deactivate()
    clerk.user_permissions.add(Permission.objects.get(codename="view_guardreport"))
    assert statuses() == [404, 404, 200, 404]


def test_the_link_of_a_mail_opens_the_report() -> None:
    report = make_report(property=make_property(), note="Gate <b>open</b>", latitude="40.7", longitude="-74.1")
    make_picture(report, "gate.jpg")
    make_file(report, "broken.jpg", status=FileState.REJECTED, error="UnreadableImage")

    response = open_page(report, make_user())

    page = response.content.decode()
    assert response.status_code == 200
    for said in ("Property 1", "1 Example Street", "Gate &lt;b&gt;open&lt;/b&gt;", "gate.jpg", "Show on a map"):
        assert said in page
    assert "The picture is damaged and cannot be shown." in page
    assert response["Cache-Control"] == "private, max-age=0"
    assert (response["Referrer-Policy"], response["X-Robots-Tag"]) == ("no-referrer", "noindex")


def test_the_page_needs_nothing_from_elsewhere() -> None:
    report = make_report(property=make_property())
    make_picture(report)

    response = open_page(report, make_user())

    page, policy = response.content.decode(), response["Content-Security-Policy"]
    assert "<script" not in page
    assert "<link" not in page
    assert policy.startswith("default-src 'none'")
    sources = re.findall(r'(?:src|srcset)="([^"]*)"', page)
    assert sources
    assert all(part.startswith("/files/") for source in sources for part in source.split(", "))


def test_a_video_has_a_poster_frame_a_duration_and_a_place() -> None:
    report = make_report(property=make_property())
    taken: dict[str, Any] = {
        "captured_at": datetime(2026, 11, 24, 19, 5, tzinfo=UTC),
        "latitude": 40.7,
        "longitude": -74.1,
    }
    make_video(report, **taken, capture_zone_assumed=True)

    page = open_page(report, make_user()).content.decode()

    assert "Video, 0:42" in page
    assert "Taken on 24 Nov 2026 14:05 by the camera" in page
    assert 'type="image/webp"' in page
    assert re.search(r'<img src="/files/[^"]+/large.jpg"', page)
    assert re.search(r'<img class="moving" src="/files/[^"]+/preview.webp"', page)
    assert "openstreetmap.org/?mlat=40.700000" in page


def test_a_picture_recorded_before_each_size_had_a_jpeg_is_still_shown() -> None:
    report = make_report()
    make_old_picture(report)

    page = open_page(report, make_user()).content.decode()

    assert "large.webp" in page


def test_the_page_of_an_incident_says_how_it_stands() -> None:
    moment = datetime(2026, 11, 24, 17, 5, tzinfo=UTC)
    report, reader = make_report(property=make_property(), is_incident=True), make_user()

    assert "Incident, not acknowledged yet" in open_page(report, reader).content.decode()

    GuardReport.objects.update(acknowledged_at=moment, acknowledged_by=make_user(first_name="Ben", last_name="Ode"))
    assert "Incident, acknowledged by Ben Ode on 24 Nov 2026 12:05" in open_page(report, reader).content.decode()
    assert "Incident" not in open_page(make_report(), reader).content.decode()


def test_the_page_lists_contradictions() -> None:
    report = make_report()
    make_picture(report, "<b>dock.png", media_type="image/jpeg")

    page = open_page(report, make_user()).content.decode()

    assert "Contradictions" in page
    assert "&lt;b&gt;dock.png is named as PNG; its content is JPEG." in page


def test_the_page_is_in_the_language_of_its_reader() -> None:
    page = open_page(make_report(), make_user(language="es")).content.decode()

    assert '<html lang="es">' in page
    assert "Los archivos aún se están procesando." in page


def test_a_page_costs_a_fixed_number_of_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    report = make_report()
    path = path_to(report, make_reader(report))
    for number in range(6):
        make_picture(report, f"{number}.jpg")

    with django_assert_num_queries(6):  # report, files, thumbnails, reader, recipients, shifts
        assert Client().get(path).status_code == 200


def test_a_link_ends_after_its_days(settings: Settings) -> None:
    report = make_report()
    path = path_to(report, make_reader(report))
    days = timedelta(days=settings.REPORT_LINK_DAYS)

    with at(timezone.now() + days - timedelta(minutes=1)):
        assert Client().get(path).status_code == 200
    with at(timezone.now() + days + timedelta(minutes=1)):
        expired = Client().get(path)

    assert expired.status_code == 410
    assert "This link has expired" in expired.content.decode()


def test_a_changed_link_opens_nothing() -> None:
    path = path_to(make_report(), make_user())
    changed = [path[:-2] + ("x" if path[-2] != "x" else "y") + "/", REPORT_PAGE_PATH.format(token="nothing")]

    for wrong in changed:
        response = Client().get(wrong)

        assert response.status_code == 404
        assert "There is no such report" in response.content.decode()


def test_a_link_is_good_only_while_report_and_reader_are() -> None:
    report, gone, reader = make_report(), make_report(is_active=False), make_user()

    assert open_page(gone, reader).status_code == 404
    assert open_page(report, make_user(is_active=False)).status_code == 404
    assert open_page(report, reader).status_code == 200


def test_the_link_in_mails_is_an_address_of_the_site() -> None:
    assert reverse("report-page", args=["a:b"]) == REPORT_PAGE_PATH.format(token="a:b")


def test_only_reading_is_allowed() -> None:
    assert Client().post(path_to(make_report(), make_user())).status_code == 405


def test_the_name_of_a_place_can_not_break_the_page() -> None:
    report = make_report(property=make_property(name='"><script>alert(1)</script>'))

    assert "<script>" not in unquote(open_page(report, make_user()).content.decode())
