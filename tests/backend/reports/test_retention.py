from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.db import IntegrityError, connection, connections, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as example_settings
from hypothesis import strategies as st
from moto import mock_aws
from mypy_boto3_s3 import S3Client
from pytest_django import Settings

from core.models import Guard
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.records.queries import take_turn
from reports import retention
from reports.files import storage
from reports.files.storage import objects
from reports.models import FileState, GuardReport, IncidentInquiry, ReportFile, Thumbnail
from reports.retention import FINISHED, sweep
from reports.tasks import retention_sweep
from tests.backend.people import make_file, make_guard, make_picture, make_report, make_user
from workflows.errors import StorageUnavailable

YOUNG, OLD = 10, 200  # days; reports stay 100, task records 50


@pytest.fixture(autouse=True)
def _dates(settings: Settings) -> None:
    settings.RETENTION_REPORT_DAYS, settings.RETENTION_TASK_DAYS, settings.RETENTION_DRY_RUN = 100, 50, False


def report_of(days: int, came_in: int | None = None, **fields: Any) -> GuardReport:
    """Create a report of some days ago."""
    now = timezone.now()
    report = make_report(report_datetime=now - timedelta(days=days), **fields)
    created_at = now - timedelta(days=days if came_in is None else came_in)
    GuardReport.objects.filter(pk=report.pk).update(created_at=created_at)
    return report


def record_of(days: int, status: str = TaskStatus.SUCCEEDED, **fields: Any) -> TaskRecord:
    moment = timezone.now() - timedelta(days=days)
    finished_at = moment if status in FINISHED else None
    return TaskRecord.objects.create(
        task="t", workflow="run_task", status=status, enqueued_at=moment, finished_at=finished_at, **fields
    )


def put(key: str) -> str:
    return objects().save(key, ContentFile(b"x")) if not objects().exists(key) else key


def put_all() -> None:
    """Store an object for every row that refers to one."""
    for file in ReportFile.objects.all():
        put(file.key)
    for thumbnail in Thumbnail.objects.all():
        put(thumbnail.key)


def referred_to() -> set[str]:
    return {file.key for file in ReportFile.objects.all()} | set(Thumbnail.objects.values_list("key", flat=True))


def stored(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def at_once(*works: Callable[[], Any]) -> list[Any]:
    results: list[Any] = []

    def run(work: Callable[[], Any]) -> None:
        try:
            results.append(work())
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# ---- What goes, and what stays ----


@pytest.mark.django_db
def test_a_report_past_its_date_goes_with_all_that_is_its_own(media_root: Path) -> None:
    old, young = report_of(OLD, is_active=False), report_of(YOUNG)
    picture = make_picture(old, file="guard_reports/a.jpg")
    make_picture(young, "other.jpg", file="guard_reports/b.jpg", size_bytes=7)
    IncidentInquiry.objects.create(
        report=old, task_id="t", turn=1, user=make_user(), sign_by=timezone.now(), answer_by=timezone.now()
    )
    put_all()
    expected_bytes = picture.size_bytes + sum(made.size_bytes for made in picture.thumbnails.all())

    swept = retention_sweep.call()

    assert swept == {
        "dry_run": False,
        "reports": 1,
        "files": 1,
        "objects": 7,
        "bytes": expected_bytes,
        "task_records": 0,
        "held": 0,
        "more": False,
        "examples": [old.pk],
    }
    assert list(GuardReport.objects.all()) == [young]
    assert not IncidentInquiry.objects.exists()
    assert stored(media_root.parent) == referred_to() != set()
    assert sweep()["reports"] == 0


@pytest.mark.django_db
def test_a_dry_run_counts_the_same_and_changes_nothing(settings: Settings, media_root: Path) -> None:
    settings.RETENTION_DRY_RUN = True
    reports = [report_of(OLD) for _ in range(12)]
    shared = [make_picture(report, f"{n}.jpg") for n, report in enumerate(reports)]
    Thumbnail.objects.filter(report_file=shared[1]).update(key="thumbnails/shared")
    Thumbnail.objects.filter(report_file=make_picture(report_of(YOUNG), size_bytes=7), size="small").update(
        key="thumbnails/shared"
    )
    report_of(OLD, evidence_hold=True)
    record_of(OLD)
    put_all()
    before = stored(media_root.parent)

    counted = sweep()

    assert stored(media_root.parent) == before
    assert (GuardReport.objects.count(), TaskRecord.objects.count()) == (14, 1)
    assert counted["examples"] == sorted(report.pk for report in reports)[: retention.MAX_EXAMPLES]
    assert (counted["reports"], counted["held"], counted["task_records"]) == (12, 1, 1)
    settings.RETENTION_DRY_RUN = False
    assert sweep() == counted | {"dry_run": False}
    assert stored(media_root.parent) == referred_to()


@pytest.mark.django_db
def test_zero_days_keep_for_ever(settings: Settings) -> None:
    report_of(9999)
    record_of(9999)
    settings.RETENTION_REPORT_DAYS = settings.RETENTION_TASK_DAYS = 0

    assert [sweep()[name] for name in ("reports", "task_records")] == [0, 0]
    assert (GuardReport.objects.count(), TaskRecord.objects.count()) == (1, 1)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["RETENTION_REPORT_DAYS", "RETENTION_TASK_DAYS"])
@pytest.mark.parametrize("days", [-1, -5000, 1, retention.MIN_DAYS - 1, retention.MAX_DAYS + 1, 10**12])
def test_invalid_days_are_refused(settings: Settings, name: str, days: int) -> None:
    report_of(9999)
    record_of(9999)
    setattr(settings, name, days)

    with pytest.raises(ImproperlyConfigured, match=rf"{name} is {days}\. Set it to 15 to 36500 days, or to 0"):
        sweep()

    assert (GuardReport.objects.count(), TaskRecord.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_in_a_transaction_that_may_be_rolled_back_no_object_goes(media_root: Path) -> None:
    make_picture(report_of(OLD))
    put_all()
    before = stored(media_root.parent)

    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        sweep()

    assert stored(media_root.parent) == before


@pytest.mark.django_db
def test_a_telephone_whose_clock_is_years_behind_loses_nothing() -> None:
    report_of(OLD, came_in=1)

    assert sweep()["reports"] == 0


@pytest.mark.django_db
@pytest.mark.parametrize("status", [TaskStatus.READY, TaskStatus.SENT, TaskStatus.RUNNING])
def test_a_report_in_processing_is_kept(status: str) -> None:
    report = report_of(OLD)
    record = record_of(1, status, subject_id=report.pk)

    assert sweep()["reports"] == 0
    TaskRecord.objects.filter(pk=record.pk).update(status=TaskStatus.FAILED)
    assert sweep()["reports"] == 1


@pytest.mark.django_db
def test_a_report_is_kept_while_its_thumbnails_may_be_reused(media_root: Path) -> None:
    report = report_of(OLD)
    picture = make_picture(report)
    put_all()
    again = make_file(report_of(1), "again.jpg", size_bytes=picture.size_bytes)
    put(again.key)

    assert sweep()["reports"] == 0
    key = picture.thumbnails.earliest("width").key  # found by its digest, and so not made again
    Thumbnail.objects.create(
        report_file=again, size="small", key=key, media_type="image/webp", width=1, height=1, size_bytes=1
    )
    ReportFile.objects.filter(pk=again.pk).update(status=FileState.ACCEPTED)

    assert sweep()["objects"] == 6
    assert stored(media_root.parent) == {again.key, key}


@pytest.mark.django_db
def test_records_of_tasks_that_have_not_ended_stay_however_old() -> None:
    for status in TaskStatus.values:
        record_of(OLD, status)
    record_of(YOUNG)

    assert sweep()["task_records"] == len(FINISHED) == 4
    assert set(TaskRecord.objects.values_list("status", flat=True)) == {"READY", "SENT", "RUNNING", "SUCCEEDED"}


@pytest.mark.django_db
def test_a_record_that_ended_lately_stays_whenever_it_was_enqueued() -> None:
    record = record_of(OLD)
    TaskRecord.objects.filter(pk=record.pk).update(finished_at=timezone.now())

    assert sweep()["task_records"] == 0


@pytest.mark.django_db
def test_records_about_a_report_under_hold_stay_with_it() -> None:
    held = report_of(OLD, evidence_hold=True)
    record_of(OLD, subject_id=held.pk)
    record_of(OLD, subject_id=held.pk + 1000)

    assert sweep()["task_records"] == 1
    assert TaskRecord.objects.get().subject_id == held.pk


@dataclass(frozen=True)
class Given:
    """A report of Hypothesis; some files and thumbnails are shared."""

    days: int
    came_in: int
    held: bool
    active: bool
    originals: frozenset[int]
    thumbnails: frozenset[int]
    record_days: int
    record_status: str


GIVEN = st.builds(
    Given,
    days=st.sampled_from([0, 99, 101, 5000]),
    came_in=st.sampled_from([0, 99, 101, 5000]),
    held=st.booleans(),
    active=st.booleans(),
    originals=st.frozensets(st.integers(0, 4), max_size=3),
    thumbnails=st.frozensets(st.integers(0, 4), max_size=3),
    record_days=st.sampled_from([0, 49, 51, 5000]),
    record_status=st.sampled_from(TaskStatus.values),
)


def make(given: Given, guard: Guard) -> GuardReport:
    report = report_of(given.days, given.came_in, guard=guard, evidence_hold=given.held, is_active=given.active)
    for original in given.originals:
        file = make_file(report, f"{original}.jpg", status=FileState.ACCEPTED)
        for number in given.thumbnails:
            Thumbnail.objects.create(
                report_file=file,
                size=f"{number}",
                key=f"thumbnails/{number}",
                media_type="image/webp",
                width=1,
                height=1,
                size_bytes=1,
            )
    record_of(given.record_days, given.record_status, subject_id=report.pk)
    return report


def must_stay(given: Given) -> bool:
    at_work = given.record_status in retention.UNFINISHED and given.record_days <= retention.AT_WORK_DAYS
    return given.held or min(given.days, given.came_in) < 100 or at_work


@pytest.mark.django_db
@example_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mix=st.lists(GIVEN, max_size=8), at_once=st.integers(1, 3))
def test_a_sweep_removes_expired_rows_and_their_objects_only(
    mix: list[Given], at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "REPORTS_AT_ONCE", at_once)
    root = tmp_path / str(len(list(tmp_path.iterdir()))) / "files"
    for rows in (GuardReport, TaskRecord):  # no atomic() around an example: the sweep would refuse to run in it
        rows.objects.all().delete()
    with override_settings(MEDIA_ROOT=root / "media"):
        guard = make_guard()
        made = [(given, make(given, guard).pk) for given in mix]
        put_all()

        swept = sweep()

        assert set(GuardReport.objects.values_list("pk", flat=True)) == {pk for given, pk in made if must_stay(given)}
        assert stored(root) == referred_to()
        for given, pk in made:
            record_stays = given.held or given.record_days < 50 or given.record_status not in FINISHED
            assert TaskRecord.objects.filter(subject_id=pk).exists() is record_stays
        assert swept["reports"] == sum(not must_stay(given) for given in mix)


@pytest.mark.django_db
def test_who_refers_to_an_object_is_found_by_an_index() -> None:
    picture = make_picture(make_report())
    media = {"media_type": "image/webp", "width": 480, "height": 360, "size_bytes": 9_000}
    Thumbnail.objects.bulk_create(
        Thumbnail(report_file=picture, size=f"size {n}", key=f"thumbnails/{n}", **media) for n in range(2000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE reports_reportfile, reports_thumbnail")
        cursor.execute("SET LOCAL enable_seqscan = off")  # there is one file, which needs no index
    with CaptureQueriesContext(connection) as asked:
        assert retention.keys_in_use(["media/a.jpg", "thumbnails/b"], but_for=[1]) == set()

    plans = []
    with connection.cursor() as cursor:
        for query in asked:
            cursor.execute(f"EXPLAIN {query['sql']}")
            plans.append(" ".join(row[0] for row in cursor.fetchall()))
    assert "file_key" in plans[0]
    assert "thumbnail_key" in plans[1]


# ---- Crashes, races, refusals ----


@pytest.mark.django_db(transaction=True)
def test_the_next_sweep_completes_a_crashed_one(media_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_picture(report_of(OLD))
    put_all()
    before = referred_to()
    delete, deleted = storage.SignedFileSystemStorage.delete, list[str]()

    def die_at_the_third(self: storage.SignedFileSystemStorage, name: str) -> None:
        if len(deleted) == 2:
            raise KeyboardInterrupt
        deleted.append(name)
        delete(self, name)

    monkeypatch.setattr(storage.SignedFileSystemStorage, "delete", die_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        sweep()
    monkeypatch.undo()

    assert referred_to() == before
    assert len(stored(media_root.parent)) == 5
    with override_settings(RETENTION_REPORT_DAYS=100, RETENTION_DRY_RUN=False, MEDIA_ROOT=media_root):
        assert sweep()["reports"] == 1
    assert stored(media_root.parent) == set()


@pytest.mark.django_db(transaction=True)
def test_constraints_are_checked_before_objects_are_deleted(media_root: Path) -> None:
    make_picture(report := report_of(OLD))
    put_all()
    before = stored(media_root.parent)
    with connection.cursor() as cursor:  # as a table that Django does not know of would have it
        cursor.execute("CREATE TABLE case_files (report_id bigint REFERENCES reports_guardreport INITIALLY DEFERRED)")
        try:
            cursor.execute("INSERT INTO case_files VALUES (%s)", [report.pk])

            with pytest.raises(IntegrityError, match="case_files"):
                sweep()
        finally:
            cursor.execute("DROP TABLE case_files")

    assert stored(media_root.parent) == before
    assert GuardReport.objects.get() == report


@pytest.mark.django_db(transaction=True)
def test_a_hold_set_while_the_sweep_runs_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    report, other = report_of(OLD), report_of(OLD)
    record = record_of(OLD, subject_id=report.pk)

    def hold_first(name: str) -> None:
        """Hold the report after the batch was chosen, and before it is locked."""
        at_once(lambda: GuardReport.objects.filter(pk=report.pk).update(evidence_hold=True))
        take_turn(name)

    monkeypatch.setattr("reports.retention.take_turn", hold_first)

    assert sweep()["reports"] == 1
    assert GuardReport.objects.get() == report != other
    assert TaskRecord.objects.get() == record


@pytest.mark.django_db(transaction=True)
def test_locked_rows_are_left_for_the_next_sweep() -> None:
    report, _ = report_of(OLD), report_of(OLD)
    record_of(OLD, subject_id=report.pk)
    with transaction.atomic():
        GuardReport.objects.select_for_update().get(pk=report.pk)
        [swept] = at_once(sweep)

    assert (swept["reports"], swept["task_records"]) == (1, 0)
    swept = sweep()
    assert (swept["reports"], swept["task_records"]) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_leave_no_object_that_both_reports_referred_to(
    media_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "REPORTS_AT_ONCE", 1)
    for _ in range(12):
        make_picture(report_of(OLD))
    Thumbnail.objects.update(key="thumbnails/shared")
    put_all()

    swept = at_once(sweep, sweep, sweep)

    assert sum(one["reports"] for one in swept) == 12
    assert stored(media_root.parent) == set()


@pytest.mark.django_db(transaction=True)
def test_a_sweep_stops_at_its_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "REPORTS_AT_ONCE", 2)
    for _ in range(5):
        report_of(OLD)
    record_of(OLD)

    assert (swept := sweep(budget_seconds=0))["more"] is True
    assert (swept["reports"], swept["task_records"]) == (0, 0)
    moments = iter([0, 0, 70, 80, 90])  # its begin, two batches of reports, too late for a third, and one of records
    monkeypatch.setattr("reports.retention.time", SimpleNamespace(monotonic=lambda: next(moments)))
    assert (swept := sweep(budget_seconds=100))["more"] is True
    assert (swept["reports"], swept["task_records"], GuardReport.objects.count()) == (4, 1, 1)


@pytest.fixture
def bucket(settings: Settings) -> Iterator[S3Client]:
    settings.STORAGES = settings.STORAGES | {
        "objects": {
            "BACKEND": "reports.files.s3_storage.SignedS3Storage",
            "OPTIONS": {"bucket_name": "files", "location": "", "region_name": "us-east-2", "file_overwrite": True},
        }
    }
    with mock_aws():
        client = boto3.client("s3", "us-east-2")
        client.create_bucket(Bucket="files", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
        yield client


@pytest.mark.django_db(transaction=True)
def test_s3_objects_are_deleted_in_batches_by_full_key(bucket: S3Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.files.s3_storage.MAX_DELETED_AT_ONCE", 3)
    make_picture(report_of(OLD))
    kept = make_picture(report_of(YOUNG), "other.jpg", size_bytes=7)
    for key in referred_to():
        bucket.put_object(Bucket="files", Key=key, Body=b"x")

    assert sweep()["objects"] == 7
    assert {found["Key"] for found in bucket.list_objects_v2(Bucket="files")["Contents"]} == referred_to()
    assert kept.key in referred_to()


@pytest.mark.django_db(transaction=True)
def test_rows_of_undeleted_s3_objects_are_kept(bucket: S3Client) -> None:
    make_picture(report_of(OLD))
    record_of(OLD)
    bucket.delete_bucket(Bucket="files")

    with pytest.raises(
        StorageUnavailable, match=r"could not be deleted \(NoSuchBucket\).*Allow the role s3:DeleteObject"
    ) as raised:
        sweep()

    assert "task_records=1" in str(raised.value)
    assert (GuardReport.objects.count(), ReportFile.objects.count(), TaskRecord.objects.count()) == (1, 1, 0)


@pytest.mark.django_db(transaction=True)
def test_one_key_that_s3_refuses_names_itself(bucket: S3Client, monkeypatch: pytest.MonkeyPatch) -> None:
    file = make_picture(report_of(OLD))
    answer = {"Errors": [{"Key": file.key, "Code": "AccessDenied"}]}
    monkeypatch.setattr(objects().bucket, "delete_objects", lambda **_given: answer)  # type: ignore[attr-defined]
    assert bucket

    with pytest.raises(StorageUnavailable, match=rf"{file.key}: could not be deleted \(AccessDenied\)"):
        sweep()


@pytest.mark.django_db(transaction=True)
def test_after_three_batches_that_fail_the_sweep_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "REPORTS_AT_ONCE", 1)
    for _ in range(5):
        make_picture(report_of(OLD))

    def refuse(keys: list[str]) -> None:
        raise StorageUnavailable(keys[0], "could not be deleted.", "Try again.")

    monkeypatch.setattr(retention, "delete_objects", refuse)

    with pytest.raises(StorageUnavailable, match="3 batches of reports were not removed"):
        sweep()
