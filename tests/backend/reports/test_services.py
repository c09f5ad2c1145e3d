from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from core.models import Guard, ShiftStatus
from qu_workflows.records.models import TaskRecord
from reports import services
from reports.files.storage import SignedFileSystemStorage
from reports.models import FileState, GuardReport, ReportFile, Thumbnail
from reports.services import create_report, load_report, recipients_of, record_results, resolve_capture, shift_at
from tests.backend.people import (
    make_client,
    make_file,
    make_guard,
    make_picture,
    make_property,
    make_report,
    make_shift,
    make_user,
    photo,
)
from workflows.contracts import guard_report as contract
from workflows.errors import ReportNotFound, StorageUnavailable

pytestmark = pytest.mark.django_db

FACTS = contract.FileFacts(
    kind=contract.FileKind.IMAGE, media_type="image/jpeg", size_bytes=99, sha256="a" * 64, width=8, height=6
)
SMALL = contract.Thumbnail(
    size="small", key="thumbnails/a/small.webp", media_type="image/webp", width=8, height=6, size_bytes=9
)


def accepted(file: ReportFile, **fields: Any) -> contract.FileResult:
    given = {"facts": FACTS, "thumbnails": [SMALL]} | fields
    return contract.FileResult(file_id=file.pk, status=contract.FileStatus.ACCEPTED, **given)


def rejected(file: ReportFile, error: str, cause: str) -> contract.FileResult:
    return contract.FileResult(file_id=file.pk, status=contract.FileStatus.REJECTED, error=error, cause=cause)


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_report_is_saved_with_its_files_and_its_task(guard: Guard, media_root: Path) -> None:
    shift = make_shift(guard)

    created = create_report(guard, [photo("a.jpg"), photo("b.jpg")], note="Gate open")

    report = GuardReport.objects.get()
    assert (report.guard, report.shift, report.property, report.note) == (guard, shift, shift.property, "Gate open")
    assert [(file.position, file.name, file.status) for file in report.files.all()] == [
        (0, "a.jpg", FileState.PENDING),
        (1, "b.jpg", FileState.PENDING),
    ]
    assert {media_root.parent / file.key for file in report.files.all()} == set(files_below(media_root))
    task = TaskRecord.objects.get(pk=created.task_id)
    assert (task.task, task.payload, task.subject_id) == (
        "process_guard_report",
        {"report_id": report.pk},
        report.pk,
    )


def test_a_file_that_can_not_be_stored_leaves_nothing_behind(
    guard: Guard, media_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SignedFileSystemStorage.save

    def fail_on_second(storage: SignedFileSystemStorage, name: str, content: Any, max_length: int | None = None) -> Any:
        if content.name == "b.jpg":
            raise StorageUnavailable(name, "could not be stored.", "Send the report again.")
        return store(storage, name, content, max_length)

    monkeypatch.setattr(SignedFileSystemStorage, "save", fail_on_second)

    with pytest.raises(StorageUnavailable):
        create_report(guard, [photo("a.jpg"), photo("b.jpg")])

    assert not GuardReport.objects.exists()
    assert not TaskRecord.objects.exists()
    assert files_below(media_root) == []


def test_a_queue_that_breaks_keeps_the_report(
    guard: Guard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def enqueue(self, **_arguments: Any) -> None:
            raise RuntimeError("no queue")

    monkeypatch.setattr("common.tasks.process_guard_report", Broken())

    created = create_report(guard, [photo()])

    assert created.task_id is None
    assert GuardReport.objects.filter(pk=created.report.pk).exists()
    assert "was not enqueued" in caplog.text


@pytest.mark.parametrize(
    ("times", "offset_hours"),
    [
        pytest.param({}, 2, id="planned"),
        pytest.param({"actual_start": -9, "actual_end": 1}, -8, id="began early"),
        pytest.param({"actual_start": 0}, 50, id="not ended yet"),
    ],
)
def test_a_shift_holds_its_planned_and_its_actual_times(guard: Guard, times: dict[str, int], offset_hours: int) -> None:
    start = timezone.now()
    fields: dict[str, Any] = {name: start + timedelta(hours=hours) for name, hours in times.items()}
    shift = make_shift(guard, planned_start=start, planned_end=start + timedelta(hours=8), **fields)

    assert shift_at(guard, start + timedelta(hours=offset_hours)) == shift


@pytest.mark.parametrize("fields", [{"status": ShiftStatus.VOIDED}, {"is_active": False}], ids=["voided", "out of use"])
def test_a_shift_that_does_not_count_is_not_found(guard: Guard, fields: dict[str, Any]) -> None:
    make_shift(guard, **fields)

    assert shift_at(guard, timezone.now()) is None


def test_a_shift_of_another_guard_or_time_is_not_found(guard: Guard) -> None:
    shift = make_shift(guard)

    assert shift_at(make_guard(), timezone.now()) is None
    assert shift_at(guard, shift.planned_start - timedelta(seconds=1)) is None
    assert shift_at(guard, shift.planned_end + timedelta(seconds=1)) is None


def test_of_two_shifts_the_later_one_counts(guard: Guard) -> None:
    start = timezone.now() - timedelta(hours=3)
    make_shift(guard, planned_start=start, planned_end=start + timedelta(hours=9))
    later = make_shift(guard, planned_start=start + timedelta(hours=1), planned_end=start + timedelta(hours=9))

    assert shift_at(guard, timezone.now()) == later


def test_client_and_supervisors_hear_of_a_report_in_their_order() -> None:
    first, second = make_user("supervisor"), make_user("supervisor")
    place = make_property(second, first)

    recipients = recipients_of(make_report(property=place))

    assert [(person.user_id, person.role) for person in recipients] == [
        (place.owner.user_id, "client"),
        (second.pk, "supervisor"),
        (first.pk, "supervisor"),
    ]


def test_without_supervisors_the_group_hears_of_a_report() -> None:
    user = make_user("supervisor")
    user.groups.add(Group.objects.create(name="Supervisors"))
    place = make_property(make_user("supervisor", is_active=False))

    assert [person.user_id for person in recipients_of(make_report(property=place))] == [place.owner.user_id, user.pk]
    assert [person.user_id for person in recipients_of(make_report())] == [user.pk]


def test_people_without_an_address_or_out_of_use_hear_of_nothing() -> None:
    silent = make_client(user=make_user("client", email=""))
    place = make_property(make_user("supervisor", email=""), make_user("supervisor", is_active=False), owner=silent)

    assert recipients_of(make_report(property=place)) == []
    assert recipients_of(make_report(property=make_property(owner=make_client(is_active=False)))) == []


def test_a_client_who_supervises_as_well_gets_one_mail() -> None:
    owner = make_client()
    place = make_property(owner.user, owner=owner)

    assert [(p.user_id, p.role) for p in recipients_of(make_report(property=place))] == [(owner.user_id, "client")]


def test_a_report_is_loaded_with_whole_keys() -> None:
    report = make_report(property=make_property())
    file = make_file(report, "gate.pdf")

    loaded = load_report(report.pk)

    assert loaded.files == [
        contract.StoredFile(file_id=file.pk, key="media/guard_reports/2026/11/24/gate.pdf", name="gate.pdf")
    ]
    assert [person.role for person in loaded.recipients] == ["client"]


def test_an_inactive_report_has_no_recipients() -> None:
    report = make_report(property=make_property(), is_active=False)

    assert load_report(report.pk).recipients == []


@pytest.mark.parametrize("call", [load_report, lambda report_id: record_results(report_id, [])])
def test_a_report_that_does_not_exist_is_an_error(call: Callable[[int], object]) -> None:
    with pytest.raises(ReportNotFound, match="report 1000000000: does not exist"):
        call(10**9)


def test_results_are_recorded_and_recorded_again_the_same() -> None:
    report = make_report()
    good, bad = make_file(report, "good.jpg"), make_file(report, "bad.jpg")
    cause = '{"errorType": "UnreadableImage", "errorMessage": "media/x: ends early. Send it again."}'
    results = [accepted(good), rejected(bad, "UnreadableImage", cause)]

    answers = [record_results(report.pk, results) for _attempt in range(2)]

    assert answers == [contract.RecordedReport(accepted=1, rejected=1, thumbnails=1)] * 2
    for row in (good, bad, report):
        row.refresh_from_db()
    assert (good.status, good.kind, good.media_type, good.width, good.sha256) == (
        "accepted", "image", "image/jpeg", 8, "a" * 64,
    )  # fmt: skip
    assert (bad.status, bad.error, bad.size_bytes) == ("rejected", "UnreadableImage", 1234)
    assert Thumbnail.objects.get().report_file == good
    assert report.processed_at is not None


def test_a_later_result_replaces_the_earlier_one() -> None:
    report = make_report()
    file = make_picture(report)

    record_results(report.pk, [rejected(file, "FileMissing", "{}")])

    file.refresh_from_db()
    assert (file.status, file.kind, file.width, file.thumbnails.count()) == ("rejected", "", None, 0)

    record_results(report.pk, [accepted(file)])

    file.refresh_from_db()
    assert (file.status, file.error, file.reason, file.thumbnails.count()) == ("accepted", "", "", 1)


def test_metadata_is_recorded_in_the_propertys_time_zone() -> None:
    report = make_report(property=make_property(time_zone="Europe/Madrid"))
    file = make_file(report, "walk.mp4")
    taken = {"captured_at": "2026-11-24T14:05:00", "camera": "Fair\x00phone 5 ", "latitude": 40.7, "longitude": -74.1}
    found = {"kind": contract.FileKind.VIDEO, "media_type": "video/mp4", "duration_seconds": 42.4, "frames": 2}

    record_results(report.pk, [accepted(file, facts=contract.FileFacts(**FACTS.model_dump() | found | taken))])

    file.refresh_from_db()
    assert file.captured_at == datetime(2026, 11, 24, 13, 5, tzinfo=UTC)
    assert (file.capture_zone_assumed, file.camera, file.latitude, file.longitude) == (True, "Fairphone 5", 40.7, -74.1)
    assert (file.kind, file.duration_seconds, file.frames) == ("video", 42.4, 2)

    half = contract.FileFacts(**FACTS.model_dump() | {"latitude": 40.7, "captured_at": "0000-00-00T00:00:00"})
    record_results(report.pk, [accepted(file, facts=half)])

    again = ReportFile.objects.get(pk=file.pk)
    assert (again.captured_at, again.capture_zone_assumed, again.camera, again.latitude) == (None, False, "", None)


def test_thumbnails_are_recorded_by_size_and_type() -> None:
    report = make_report()
    file, bare = make_file(report, "gate.jpg"), make_file(report, "notes.zip")
    jpeg = SMALL.model_copy(update={"media_type": "image/jpeg", "key": "thumbnails/a/small.jpg"})

    record_results(
        report.pk,
        [
            accepted(file, thumbnails=[SMALL, jpeg]),
            accepted(bare, thumbnails=[], thumbnails_reason="None." + "x" * 900),
        ],
    )

    assert [made.media_type for made in file.thumbnails.all()] == ["image/webp", "image/jpeg"]
    bare.refresh_from_db()
    assert bare.thumbnails_reason.startswith("None.")
    assert len(bare.thumbnails_reason) == 500


def test_results_of_other_reports_files_are_left_out() -> None:
    report, other = make_report(), make_file(make_report())

    recorded = record_results(report.pk, [accepted(other)])

    other.refresh_from_db()
    assert recorded.accepted == 0
    assert other.status == FileState.PENDING


def test_results_are_recorded_in_a_fixed_number_of_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    report = make_report()
    results = [accepted(make_file(report, f"{number}.jpg")) for number in range(8)]

    with django_assert_num_queries(8):  # savepoint and release, two reads, update, delete, insert, report
        record_results(report.pk, results)


def test_a_name_is_stored_safely_and_shown_as_it_was(guard: Guard) -> None:
    upload = SimpleUploadedFile("Vordertür №1.JPEG", b"content")

    file = create_report(guard, [upload]).report.files.get()

    assert file.name == "Vordertür №1.JPEG"
    stored = str(file.file.name)
    assert stored.startswith("guard_reports/")
    assert stored.endswith("-vordertur-no1.jpeg")


def test_the_processing_is_enqueued_by_the_task_that_callers_know() -> None:
    assert services.enqueue_processing(make_report()) == TaskRecord.objects.get(task="process_guard_report").pk


def test_a_time_with_an_offset_keeps_it() -> None:
    moment = datetime(2026, 11, 24, 19, 5, tzinfo=UTC)

    assert resolve_capture("2026-11-24T14:05:00-05:00", ZoneInfo("Europe/Madrid")) == (moment, False)


def test_a_time_without_an_offset_is_that_of_the_place() -> None:
    assert resolve_capture("2026-07-24T14:05:00", ZoneInfo("America/New_York")) == (
        datetime(2026, 7, 24, 18, 5, tzinfo=UTC),
        True,
    )


@pytest.mark.parametrize(
    "text",
    [None, "", "0000-00-00T00:00:00", "0001-01-01T00:00:00", "9999-12-31T23:59:59", "2026-13-01T00:00:00",
     "2026-11-24T14:05:00+99:99", "1601-01-01T00:00:00+00:00"],
)  # fmt: skip
def test_an_invalid_time_counts_as_missing(text: str | None) -> None:
    assert resolve_capture(text, ZoneInfo("America/New_York")) == (None, False)


@given(
    st.from_regex(r"\A\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}([+-]\d{2}:\d{2})?\Z"), st.sampled_from(["UTC", "Asia/Tokyo"])
)
def test_every_text_of_the_contract_is_a_moment_or_none(text: str, zone: str) -> None:
    moment, _is_assumed = resolve_capture(text, ZoneInfo(zone))

    assert moment is None or moment.utcoffset() == timedelta(0)
