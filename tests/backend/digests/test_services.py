import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import DjangoAssertNumQueries

from core.models import Client, Property
from digests.services import MAX_HTML_BYTES, MAX_PICTURE_BYTES, MAX_PICTURES, digest_email, list_digests
from lambdas.send_email.mime import compose
from reports.links import read_token
from reports.models import FileState, GuardReport, Thumbnail
from tests.backend.people import (
    make_client,
    make_file,
    make_guard,
    make_picture,
    make_property,
    make_report,
    make_shift,
    make_user,
)
from workflows.contracts.daily_report_digest import Digest
from workflows.contracts.notification_email import EmailDocument, InlineImage
from workflows.errors import PayloadInvalid, RecipientNotFound, TooManyDigests

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)  # in New York 7 in the morning
NOON = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
DAY = "2026-11-23"
TASK_ID = "daily_report_digest-20261124T120000Z"


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)


def report_at(place: Property, moment: datetime = NOON, **fields: Any) -> GuardReport:
    """A report that adds up: within its guard's shift, and arrived at once."""
    guard = fields.pop("guard", None) or make_guard()
    times = {"planned_start": moment - timedelta(hours=4), "planned_end": moment + timedelta(hours=4)}
    shift = make_shift(guard, place, **times)
    given = {"shift": shift, "report_datetime": moment, "processed_at": moment}
    report = make_report(guard, property=place, **given | fields)
    GuardReport.objects.filter(pk=report.pk).update(created_at=moment)
    return report


def client_with_report(**fields: Any) -> Client:
    client = make_client(**fields)
    report_at(make_property(owner=client))
    return client


def mail_to(client: Client, day: str = DAY) -> EmailDocument:
    return digest_email(Digest(client_id=client.pk, user_id=client.user_id, date=day))


# ---- Who gets one ----


def test_each_client_with_reports_gets_one_digest() -> None:
    first, second = client_with_report(), client_with_report()
    report_at(make_property(owner=first))
    make_property()  # nothing was reported there
    report_at(make_property(), NOON - timedelta(days=1))

    listed = list_digests("t-1")

    assert listed.model_dump() == {
        "date": DAY,
        "digests": [{"client_id": client.pk, "user_id": client.user_id, "date": DAY} for client in (first, second)],
        "skipped": None,
    }


def test_who_is_out_of_use_or_has_no_address_gets_none() -> None:
    client_with_report(is_active=False)
    client_with_report(user=make_user(is_active=False))
    client_with_report(user=make_user(email=""))
    report_at(make_property(), is_active=False)
    make_report(report_datetime=NOON)  # at no property

    assert list_digests("t-1").digests == []


def test_each_property_has_its_own_midnight() -> None:
    moment = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)  # in New York 02:30 of the 23rd, in Honolulu still the 22nd
    here, there = make_property(), make_property(time_zone="Pacific/Honolulu")
    report_at(here, moment)
    report_at(there, moment)

    assert [digest.client_id for digest in list_digests("t-1").digests] == [here.owner_id]
    assert [digest.client_id for digest in list_digests("t-1", "2026-11-22").digests] == [there.owner_id]


def test_a_list_costs_two_queries_however_many_clients_there_are(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _number in range(5):
        client_with_report()

    with django_assert_num_queries(2):  # time zones, clients
        list_digests("t-1")


def test_too_many_clients_are_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("digests.services.MAX_DIGESTS", 2)
    for _number in range(2):
        client_with_report()
    assert len(list_digests("t-1").digests) == 2
    client_with_report()

    with pytest.raises(TooManyDigests, match=r"more than 2 clients have reports.* Make Send Digests a distributed Map"):
        list_digests("t-1")


def test_a_skipped_run_lists_no_client_and_gives_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    client_with_report()
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW + timedelta(hours=13))

    listed = list_digests(TASK_ID)

    assert (listed.date, listed.digests) == (DAY, [])
    assert "It was due at 2026-11-24 12:00:00 UTC" in (listed.skipped or "")


def test_a_restart_of_a_skipped_run_writes_to_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_with_report()
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW + timedelta(days=3))

    listed = list_digests(f"{TASK_ID}-attempt-2")

    assert [digest.client_id for digest in listed.digests] == [client.pk]
    assert (listed.date, listed.skipped) == (DAY, None)


def test_a_day_that_has_not_ended_is_refused() -> None:
    with pytest.raises(PayloadInvalid, match="2026-11-24 has not ended"):
        list_digests("t-1", "2026-11-24")


def test_a_day_that_has_not_ended_in_the_west_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = client_with_report()
    make_property(owner=client, time_zone="Pacific/Honolulu")
    monkeypatch.setattr("django.utils.timezone.now", lambda: datetime(2026, 11, 24, 9, 59, tzinfo=UTC))

    for asked in ("", DAY):
        with pytest.raises(PayloadInvalid, match="2026-11-23 ends at 2026-11-24 10:00 UTC in the time zone of"):
            list_digests("t-1", asked)
    assert [digest.client_id for digest in list_digests("daily_report_digest-20261124T090000Z").digests] == [client.pk]
    monkeypatch.setattr("django.utils.timezone.now", lambda: datetime(2026, 11, 24, 10, 0, tzinfo=UTC))
    assert [digest.client_id for digest in list_digests("t-1").digests] == [client.pk]


# ---- The mail ----


def test_the_subject_says_when_where_and_how_much() -> None:
    client = make_client()
    place = make_property(owner=client, name="Gate House")
    report_at(place)
    assert mail_to(client).subject == "Yesterday at Gate House: 1 report"

    report_at(place, is_incident=True)
    make_property(owner=client)
    make_property(owner=client, is_active=False)
    assert mail_to(client).subject == "Yesterday at your 2 properties: 2 reports, 1 incident"


def test_another_day_than_yesterday_is_named() -> None:
    client = make_client()
    report_at(make_property(owner=client, name="Gate House"), NOON - timedelta(days=3))

    assert mail_to(client, "2026-11-20").subject == "20 Nov 2026 at Gate House: 1 report"


def test_the_mail_lists_reports_by_property_and_time() -> None:
    client, guard = make_client(), make_guard(user=make_user("ana", first_name="Ana", last_name="Ruiz"))
    gate, office = (make_property(owner=client, name=name, address=f"1 {name} Street") for name in ("Gate", "Office"))
    report_at(gate, NOON + timedelta(hours=2), note="Later.", guard=guard)
    file = make_picture(report_at(gate, NOON, note="Gate open.\nClosed it.", guard=guard), "gate.jpg")
    report_at(office, NOON + timedelta(hours=1), note="At the office.", guard=guard)
    make_property(owner=client, name="Quiet Villa")

    mail = mail_to(client)

    assert mail.to == client.user.email
    for body in (mail.html, mail.text):
        assert re.findall(r"\b1\d:00\b", body) == ["12:00", "14:00", "13:00"]
        said = ["1 Gate Street", "Gate open.", "Closed it.", "gate.jpg", "JPEG, 4032 x 3024, 2.1 MB", "Later."]
        places = [body.index(text) for text in [*said, "1 Office Street", "At the office.", "No reports from"]]
        assert places == sorted(places)
        assert "No reports from: Quiet Villa." in body
        assert "Ana Ruiz" in body
        assert "Nothing needs your attention." in body
    assert [image.content_id for image in mail.images] == [f"file-{file.pk}"]
    assert mail.images[0].media_type == "image/jpeg"
    assert f'src="cid:file-{file.pk}"' in mail.html


def test_only_the_clients_active_reports_of_the_day_are_listed() -> None:
    client = make_client()
    place = make_property(owner=client)
    report_at(place, note="Listed.")
    report_at(place, NOON - timedelta(days=1), note="Of the day before.")
    report_at(place, note="Out of use.", is_active=False)
    report_at(make_property(), note="Of another client.")

    mail = mail_to(client)

    assert "Listed." in mail.text
    for other in ("Of the day before.", "Out of use.", "Of another client."):
        assert other not in mail.text


def test_each_report_is_linked_for_the_client_alone() -> None:
    client = make_client()
    report = report_at(make_property(owner=client))

    mail = mail_to(client)

    for body in (mail.html, mail.text):
        tokens = set(re.findall(r"http://127\.0\.0\.1:8000/reports/([^/\s]+)/", body))
        assert {read_token(token) for token in tokens} == {(report.pk, client.user_id)}


def test_incidents_are_listed_first_and_open_ones_on_top() -> None:
    client, supervisor = make_client(), make_user(first_name="Mara", last_name="Stone")
    place = make_property(owner=client, name="Gate House")
    seen_at = NOON + timedelta(minutes=7)
    report_at(place, NOON, is_incident=True, acknowledged_by=supervisor, acknowledged_at=seen_at)
    report_at(place, NOON + timedelta(hours=1), is_incident=True)

    text = mail_to(client).text

    first = text.index("Gate House, 13:00: Incident, not acknowledged yet")
    second = text.index("Gate House, 12:00: Incident, acknowledged by Mara Stone on 23 Nov 2026 12:07")
    assert first < second < text.index("== Gate House ==")


def test_contradictions_are_shown_with_the_report_and_counted() -> None:
    client = make_client()
    report = report_at(make_property(owner=client))
    make_picture(report, "dock.png", media_type="image/jpeg")
    make_file(report, "broken.jpg", status=FileState.REJECTED, error="UnreadableImage")

    mail = mail_to(client)

    for body in (mail.html, mail.text):
        assert "Needs attention" in body
        assert "One file was refused." in body
        assert "One report has contradictions." in body
        assert "dock.png is named as PNG; its content is JPEG." in body
        assert "broken.jpg was refused. The picture is damaged and cannot be shown." in body


def test_files_in_processing_are_counted() -> None:
    client = make_client()
    make_file(report_at(make_property(owner=client), processed_at=None))

    assert "The files of one report are still being processed." in mail_to(client).text


def test_the_client_reads_his_own_language() -> None:
    client = client_with_report(user=make_user(language="es"))

    assert '<html lang="es"' in mail_to(client).html


def test_repeated_hours_have_different_zones() -> None:
    client = make_client()
    place = make_property(owner=client)
    for moment in (datetime(2026, 11, 1, 5, 30, tzinfo=UTC), datetime(2026, 11, 1, 6, 30, tzinfo=UTC)):
        report_at(place, moment)

    text = mail_to(client, "2026-11-01").text

    assert text.index("01:30 EDT") < text.index("01:30 EST")


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ subject }}"])
def test_hostile_text_stays_text(hostile: str) -> None:
    client = make_client()
    report = report_at(make_property(owner=client, name=hostile, address=hostile), note=hostile)
    make_property(owner=client, name=hostile)
    make_picture(report, hostile)
    make_file(report, hostile, status=FileState.REJECTED, error="FileMissing")

    mail = mail_to(client)

    assert "<script" not in mail.html
    assert "<img src=x" not in mail.html
    assert hostile in mail.text


def test_a_mail_costs_a_fixed_number_of_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    client = make_client()
    for _number in range(3):
        place = make_property(owner=client)
        for number in range(4):
            report = report_at(place, shift=None, is_incident=not number, acknowledged_by=make_user())
            make_picture(report, sha256=f"{number:064x}")

    with django_assert_num_queries(7):  # reader, properties, reports, files, thumbnails, digests, shifts
        mail_to(client)


# ---- Bounds ----


def fill(place: Property, reports: int, text: str) -> None:
    guard = make_guard()
    for number in range(reports):
        report = make_report(
            guard, property=place, note=text * 50, report_datetime=NOON + timedelta(seconds=number), processed_at=NOON
        )
        for picture in range(4):
            make_picture(report, f"{picture}{text[:100]}.jpg")


@pytest.mark.parametrize("text", ["Round done. ", '"' * 140])
def test_a_digest_of_any_size_fits_into_a_mail(text: str) -> None:
    client = make_client()
    for number in range(3):
        fill(make_property(owner=client, name=f"{number}{text}"[:120], address=text), 20, text)
    Thumbnail.objects.filter(size="medium", media_type="image/jpeg").update(size_bytes=400_000)

    mail = mail_to(client)

    assert len(mail.html.encode()) <= MAX_HTML_BYTES
    assert 0 < len(mail.images) <= MAX_PICTURES
    assert 400_000 * len(mail.images) <= MAX_PICTURE_BYTES
    assert sorted(re.findall(r'src="cid:([^"]+)"', mail.html)) == sorted(image.content_id for image in mail.images)


def test_the_largest_mail_stays_below_eight_megabytes() -> None:
    image = InlineImage(content_id="file-1", key="k", media_type="image/jpeg", alt="")
    text = "á" * (MAX_HTML_BYTES // 2)
    document = EmailDocument(sender="a@example.com", to="b@example.com", subject="s", text=text, html=text)
    pictures = [(image, b"\xff" * (MAX_PICTURE_BYTES // MAX_PICTURES))] * MAX_PICTURES

    assert len(compose(document, pictures, "once", NOW).raw) < 8_000_000


def test_on_a_long_day_incidents_and_contradictions_keep_details() -> None:
    client = make_client()
    place = make_property(owner=client)
    guard = make_guard()
    for number in range(60):
        report_at(place, NOON + timedelta(seconds=number), guard=guard, note="Routine.")
    report_at(place, NOON + timedelta(hours=2), guard=guard, note="A break-in.", is_incident=True)
    make_picture(report_at(place, NOON + timedelta(hours=3), note="Odd."), "odd.png", media_type="image/jpeg")

    mail = mail_to(client)

    assert mail.subject == "Yesterday at Property 1: 62 reports, 1 incident"
    for body in (mail.html, mail.text):
        assert "A break-in." in body
        assert "Odd." in body
        assert body.count("Routine.") == 28
    tokens = re.findall(r"/reports/([^/\s]+)/", mail.text)
    assert len({read_token(token)[0] for token in tokens}) == 62


def test_pictures_are_shared_out_so_that_each_report_shows_one_first() -> None:
    client = make_client()
    place = make_property(owner=client)
    reports = [report_at(place, NOON + timedelta(minutes=number)) for number in range(20)]
    files = [[make_picture(report, f"{n}.jpg").pk for n in range(3)] for report in reports]

    shown = {image.content_id for image in mail_to(client).images}

    assert len(shown) == MAX_PICTURES
    assert {f"file-{first}" for first, *_others in files} <= shown


def test_the_sizes_that_a_mail_does_not_carry_cost_it_no_picture() -> None:
    client, guard = make_client(), make_guard()
    place = make_property(owner=client)
    for _number in range(MAX_PICTURES):
        make_picture(report_at(place, guard=guard))
    Thumbnail.objects.exclude(size="medium", media_type="image/jpeg").update(size_bytes=MAX_PICTURE_BYTES)

    assert len(mail_to(client).images) == MAX_PICTURES


def test_an_upright_picture_alone_does_not_fill_the_screen() -> None:
    client = make_client()
    place = make_property(owner=client)
    make_picture(report_at(place))
    upright = make_picture(report_at(place))
    upright.thumbnails.update(width=360, height=480)

    assert re.findall(r'<img [^>]*width="(\d+)"', mail_to(client).html) == ["340", "220"]


def test_of_many_properties_those_with_incidents_are_listed() -> None:
    client, guard = make_client(), make_guard()
    for number in range(60):
        report_at(make_property(owner=client, name=f"House {number:02}"), guard=guard)
    report_at(make_property(owner=client, name="The Last House"), note="A break-in.", is_incident=True)

    mail = mail_to(client)

    assert "A break-in." in mail.text
    assert "21 more properties have reports." in mail.text


# ---- No recipient ----


def test_a_client_who_can_get_no_mail_is_an_error() -> None:
    client, gone, other = client_with_report(), client_with_report(), make_user()
    gone.deactivate()

    with pytest.raises(RecipientNotFound, match=f"client {gone.pk}: is not active"):
        mail_to(gone)
    with pytest.raises(RecipientNotFound, match=f"client {client.pk}"):
        digest_email(Digest(client_id=client.pk, user_id=other.pk, date=DAY))
    User.objects.filter(pk=client.user_id).update(is_active=False)
    with pytest.raises(RecipientNotFound, match="is not active"):
        mail_to(client)


def test_a_day_without_active_reports_sends_no_mail() -> None:
    client = client_with_report()
    GuardReport.objects.update(is_active=False)

    with pytest.raises(RecipientNotFound, match="has no reports of 2026-11-23 any more"):
        mail_to(client)


def test_a_wrong_time_zone_affects_its_own_client_only() -> None:
    good, bad = client_with_report(), make_client()
    report_at(make_property(owner=bad, time_zone="Mars/Olympus"))

    assert [digest.client_id for digest in list_digests("t-1").digests] == [good.pk, bad.pk]
    assert mail_to(good).to == good.user.email
    with pytest.raises(LookupError):
        mail_to(bad)
