from datetime import UTC, datetime, timedelta
from io import RawIOBase
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from core.authentication import issue_api_key
from core.models import ApiKey, Guard
from qu_workflows.records.models import TaskRecord
from reports.files.storage import SignedFileSystemStorage
from reports.models import GuardReport
from tests.backend.people import make_file, make_guard, make_picture, make_report, make_shift, make_video, photo
from workflows.errors import StorageUnavailable

pytestmark = pytest.mark.django_db
URL = "/api/mobile/guard-reports/"


def send(app: APIClient, **fields: Any) -> Any:
    return app.post(URL, fields, format="multipart")


def ids(response: Any) -> list[int]:
    return [row["id"] for row in response.json()["results"]]


def test_a_guard_sends_a_report_with_one_file(app: APIClient, guard: Guard) -> None:
    shift = make_shift(guard)

    response = send(app, guard=guard.pk, file=photo(), note="Gate open", latitude="40.7127531234", longitude="-74.006")

    body = response.json()
    assert response.status_code == 201, body
    assert (body["guard"], body["shift"], body["property"]) == (guard.pk, shift.pk, shift.property_id)
    assert (body["note"], body["latitude"], body["longitude"]) == ("Gate open", 40.712753, -74.006)
    assert body["async_processing"] == {"initiated": True, "task_id": TaskRecord.objects.get().pk}
    assert body["files"][0]["name"] == "front-door.jpg"
    assert body["files"][0]["status"] == "pending"
    assert body["file_url"].startswith("http://testserver/files/")


def test_a_guard_sends_many_files_in_their_order(app: APIClient) -> None:
    response = send(app, file=photo("1.jpg"), files=[photo("2.jpg"), photo("3.jpg")])

    assert [file["name"] for file in response.json()["files"]] == ["1.jpg", "2.jpg", "3.jpg"]


def test_the_first_file_can_be_fetched_by_its_signed_url(app: APIClient) -> None:
    upload = photo()
    body = send(app, file=upload).json()

    response = Client().get(body["file_url"])

    assert response.status_code == 200
    assert response.getvalue() == upload.open().read()


def test_the_time_is_now_unless_given(app: APIClient) -> None:
    given = (timezone.now() - timedelta(hours=3)).replace(microsecond=0)

    now, earlier = send(app, file=photo()).json(), send(app, file=photo(), report_datetime=given.isoformat()).json()

    assert abs(datetime.fromisoformat(now["report_datetime"]) - timezone.now()) < timedelta(minutes=1)
    assert datetime.fromisoformat(earlier["report_datetime"]) == given


@pytest.mark.parametrize(
    ("fields", "name", "said"),
    [
        ({}, "file", "at least one file"),
        ({"file": SimpleUploadedFile("empty.jpg", b"")}, "file", "empty"),
        ({"files": [photo(), SimpleUploadedFile("empty.jpg", b"")]}, "files", "empty"),
        ({"file": "not a file"}, "file", "not a file"),
        ({"file": photo(), "note": "a\x00b"}, "note", "Null characters"),
        ({"file": photo(), "note": "n" * 10_001}, "note", "10000"),
        ({"file": photo(), "latitude": "90.1"}, "latitude", "90"),
        ({"file": photo(), "latitude": "nan"}, "latitude", "valid number"),
        ({"file": photo(), "longitude": "-180.5"}, "longitude", "-180"),
        ({"file": photo(), "longitude": "inf"}, "longitude", "valid number"),
        ({"file": photo(), "report_datetime": "yesterday"}, "report_datetime", "format"),
        ({"file": photo(), "report_datetime": "2999-01-01T00:00:00Z"}, "report_datetime", "tomorrow"),
        ({"file": photo(), "report_datetime": "1999-12-31T00:00:00Z"}, "report_datetime", "2000"),
        ({"file": photo(), "report_datetime": "0001-01-01T00:00:00Z"}, "report_datetime", "out of range"),
    ],
)
def test_what_is_not_a_report_is_refused_by_its_field(
    app: APIClient, fields: dict[str, Any], name: str, said: str
) -> None:
    response = send(app, **fields)

    assert response.status_code == 400, response.content
    assert said in str(response.json()[name])
    assert not GuardReport.objects.exists()


def test_a_guard_reports_only_as_himself(app: APIClient) -> None:
    response = send(app, guard=make_guard().pk, file=photo())

    assert response.status_code == 403
    assert not GuardReport.objects.exists()


def test_more_files_than_the_limit_are_refused_by_its_name(app: APIClient, settings: Settings) -> None:
    settings.UPLOAD_MAX_FILES, settings.DATA_UPLOAD_MAX_NUMBER_FILES = 2, 3

    for number in (3, 4):  # counted here, and by Django before
        response = send(app, files=[photo(f"{index}.jpg") for index in range(number)])

        assert response.status_code == 400
        assert response.json() == {"files": ["A report can have at most 2 files (UPLOAD_MAX_FILES)."]}


def test_a_file_over_the_limit_is_refused_by_its_name(app: APIClient, settings: Settings) -> None:
    settings.UPLOAD_MAX_FILE_BYTES = 1000

    response = send(app, file=SimpleUploadedFile("../big.bin", b"x" * 1001))

    assert response.status_code == 413
    assert response.json() == {
        "detail": "big.bin has more than 1000 bytes, the limit for one file (UPLOAD_MAX_FILE_BYTES)."
    }
    assert send(app, file=SimpleUploadedFile("fits.bin", b"x" * 1000)).status_code == 201


@pytest.mark.parametrize("size", [600, 2_000_000], ids=["counted as it comes", "announced"])
def test_an_upload_over_the_limit_is_refused_by_its_name(app: APIClient, settings: Settings, size: int) -> None:
    settings.UPLOAD_MAX_TOTAL_BYTES = 1000

    response = send(app, files=[SimpleUploadedFile(f"{index}.bin", b"x" * size) for index in range(2)])

    assert response.status_code == 413
    assert "UPLOAD_MAX_TOTAL_BYTES" in response.json()["detail"]


def test_a_file_over_the_limit_is_not_read_to_its_end(app: APIClient, settings: Settings, tmp_path: Path) -> None:
    settings.UPLOAD_MAX_FILE_BYTES = 3_000_000
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path
    boundary = b"--b"
    head = boundary + b'\r\nContent-Disposition: form-data; name="file"; filename="big.bin"\r\n\r\n'
    stream = EndlessBody(head, length=50_000_000)

    environment: Any = {"wsgi.input": stream, "CONTENT_LENGTH": stream.length}

    response = app.generic("POST", URL, "", "multipart/form-data; boundary=b", **environment)

    assert response.status_code == 413
    assert stream.position < 4_000_000
    assert list(tmp_path.glob("*.upload*")) == []


class EndlessBody(RawIOBase):
    """A request body that is made as it is read."""

    def __init__(self, head: bytes, length: int) -> None:
        super().__init__()
        self.head, self.length, self.position = head, length, 0

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "the whole body was asked for at once"
        start, self.position = self.position, min(self.position + size, self.length)
        piece = self.head[start : self.position]
        return piece + b"x" * (self.position - start - len(piece))


def test_a_large_file_goes_to_the_disk_and_not_to_memory(app: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = []
    store = SignedFileSystemStorage.save

    def remember_kind(storage: SignedFileSystemStorage, name: str, content: Any, max_length: int | None = None) -> Any:
        kinds.append(hasattr(content, "temporary_file_path"))
        return store(storage, name, content, max_length)

    monkeypatch.setattr(SignedFileSystemStorage, "save", remember_kind)

    response = send(app, file=SimpleUploadedFile("video.mp4", b"x" * 6_000_000))

    assert response.status_code == 201
    assert kinds == [True]
    assert GuardReport.objects.get().files.get().size_bytes == 6_000_000


def test_a_storage_that_does_not_answer_asks_to_try_again(app: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_storage: SignedFileSystemStorage, name: str, *_rest: object) -> None:
        raise StorageUnavailable(name, "could not be stored.", "Send the report again.")

    monkeypatch.setattr(SignedFileSystemStorage, "save", fail)

    response = send(app, file=photo())

    assert (response.status_code, response["Retry-After"]) == (503, "30")
    assert "Nothing was saved" in response.json()["detail"]
    assert not GuardReport.objects.exists()


def test_json_is_not_how_reports_are_sent(app: APIClient) -> None:
    assert app.post(URL, {"note": "x"}, format="json").status_code == 415


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Api-Key": "{key}"},
        {"X-Guard-ID": "{guard}"},
        {"X-Api-Key": "{key}x", "X-Guard-ID": "{guard}"},
        {"X-Api-Key": "no\x00key-at-all", "X-Guard-ID": "{guard}"},
        {"X-Api-Key": "{key}", "X-Guard-ID": "0"},
        {"X-Api-Key": "{key}", "X-Guard-ID": "-1"},
        {"X-Api-Key": "{key}", "X-Guard-ID": "9" * 30},
        {"X-Api-Key": "{key}", "X-Guard-ID": "²"},
    ],
)
def test_who_is_not_known_is_not_let_in(guard: Guard, api_key: str, headers: dict[str, str]) -> None:
    filled = {name: text.format(key=api_key, guard=guard.pk) for name, text in headers.items()}

    response = APIClient(headers=filled).get(URL)

    assert (response.status_code, response["WWW-Authenticate"]) == (401, "ApiKey")


def test_a_key_acts_for_its_own_guard_only(api_key: str, guard: Guard) -> None:
    other = make_report()

    without = APIClient(headers={"X-Api-Key": api_key}).get(URL)
    own = APIClient(headers={"X-Api-Key": api_key, "X-Guard-ID": str(guard.pk)}).get(URL)
    refused = APIClient(headers={"X-Api-Key": api_key, "X-Guard-ID": str(other.guard_id)}).get(URL)

    assert (without.status_code, own.status_code, refused.status_code) == (401, 200, 401)
    assert "X-Guard-ID is not the guard of this X-Api-Key" in refused.json()["detail"]


def test_a_key_for_all_guards_needs_the_setting(
    guard: Guard, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    key, text = issue_api_key("Old app", guard=None)
    app = APIClient(headers={"X-Api-Key": text, "X-Guard-ID": str(guard.pk)})
    caplog.set_level("INFO", "core.authentication")

    assert app.get(URL).status_code == 401
    settings.API_KEYS_FOR_ALL_GUARDS = True
    assert app.get(URL).status_code == 200
    assert APIClient(headers={"X-Api-Key": text}).get(URL).status_code == 401

    messages = [record.getMessage() for record in caplog.records if record.name == "core.authentication"]
    assert messages == [f"API key {key.prefix}, which is for all guards, acts for guard {guard.pk}."]


def test_a_key_or_guard_out_of_use_is_not_let_in(app: APIClient, guard: Guard) -> None:
    assert app.get(URL).status_code == 200

    ApiKey.objects.update(is_active=False)
    assert app.get(URL).status_code == 401

    ApiKey.objects.update(is_active=True)
    guard.deactivate()
    assert app.get(URL).status_code == 401


def test_a_guard_whose_user_may_not_sign_in_is_not_let_in(app: APIClient, guard: Guard) -> None:
    guard.user.is_active = False
    guard.user.save()

    assert app.get(URL).status_code == 401


def test_a_guard_sees_his_own_reports_only(app: APIClient, guard: Guard) -> None:
    own, other, gone = make_report(guard), make_report(), make_report(guard, is_active=False)

    assert ids(app.get(URL)) == [own.pk]
    assert app.get(f"{URL}{own.pk}/").status_code == 200
    assert app.get(f"{URL}{other.pk}/").status_code == 404
    assert app.get(f"{URL}{gone.pk}/").status_code == 404
    assert ids(app.get(f"{URL}by-guard/{guard.pk}/")) == [own.pk]
    assert app.get(f"{URL}by-guard/{other.guard_id}/").status_code == 403
    assert ids(app.get(URL, {"guard": other.guard_id})) == []
    assert ids(app.get(URL, {"guard": guard.pk})) == [own.pk]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"date_from": "2026-03-02"}, ["second", "third"]),
        ({"date_to": "2026-03-02"}, ["first", "second"]),
        ({"date_from": "2026-03-02", "date_to": "2026-03-02"}, ["second"]),
        ({"date_to": "9999-12-31"}, ["first", "second", "third"]),
        ({"search": "SECOND"}, ["second"]),
        ({"search": "door.jpg"}, ["third"]),
        ({"search": "nothing"}, []),
    ],
)
def test_a_list_is_narrowed_down(app: APIClient, guard: Guard, query: dict[str, Any], expected: list[str]) -> None:
    for day, note in enumerate(("first", "second", "third"), start=1):
        report = make_report(guard, note=note, report_datetime=datetime(2026, 3, day, 23, 59, tzinfo=UTC))
    make_picture(report)

    response = app.get(URL, query | {"ordering": "report_datetime"})

    assert [row["note"] for row in response.json()["results"]] == expected


def test_a_list_is_ordered_newest_first_by_default(app: APIClient, guard: Guard) -> None:
    early = make_report(guard, report_datetime=datetime(2026, 1, 1, tzinfo=UTC))
    late = make_report(guard, report_datetime=datetime(2026, 1, 2, tzinfo=UTC))

    assert ids(app.get(URL)) == [late.pk, early.pk]
    assert ids(app.get(URL, {"ordering": "report_datetime"})) == [early.pk, late.pk]
    assert ids(app.get(URL, {"ordering": "-id"})) == [late.pk, early.pk]


@pytest.mark.parametrize("query", [{"date_from": "tomorrow"}, {"guard": "x"}, {"search": "a\x00b"}])
def test_a_filter_that_makes_no_sense_is_refused(app: APIClient, query: dict[str, Any]) -> None:
    assert app.get(URL, query).status_code == 400


def test_what_became_of_the_files_is_shown(app: APIClient, guard: Guard) -> None:
    file = make_picture(make_report(guard))

    (shown,) = app.get(URL).json()["results"][0]["files"]

    facts = {name: shown[name] for name in ("kind", "media_type", "size_bytes", "width", "height", "pages")}
    assert facts == {
        "kind": "image", "media_type": "image/jpeg", "size_bytes": file.size_bytes, "width": 4032, "height": 3024,
        "pages": None,
    }  # fmt: skip
    assert [(made["size"], made["width"]) for made in shown["thumbnails"]] == [
        ("small", 160), ("small", 160), ("medium", 480), ("medium", 480), ("large", 1280), ("large", 1280),
    ]  # fmt: skip
    assert {made["media_type"] for made in shown["thumbnails"]} == {"image/webp", "image/jpeg"}


def test_what_the_camera_wrote_is_shown(app: APIClient, guard: Guard) -> None:
    moment = datetime(2026, 11, 24, 19, 5, tzinfo=UTC)
    taken: dict[str, Any] = {
        "captured_at": moment,
        "capture_zone_assumed": True,
        "camera": "Fairphone 5",
        "latitude": 40.7,
    }
    make_video(make_report(guard), **taken | {"longitude": -74.1})
    make_file(make_report(guard), "x.zip", thumbnails_reason="None.")

    (plain,), (shown,) = (report["files"] for report in app.get(URL).json()["results"])

    assert datetime.fromisoformat(shown["captured_at"]) == moment
    names = ("capture_zone_assumed", "camera", "latitude", "longitude", "duration_seconds", "frames")
    assert [shown[name] for name in names] == [True, "Fairphone 5", 40.7, -74.1, 42.4, None]
    assert (plain["thumbnails_reason"], plain["captured_at"], shown["thumbnails_reason"]) == ("None.", None, "")
    assert shown["thumbnails"][2]["size"] == "preview"


@pytest.mark.parametrize("number", [1, 7])
def test_a_list_takes_the_same_queries_whatever_its_length(
    app: APIClient, guard: Guard, number: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    app.get(URL)  # the key's first use is noted
    for _report in range(number):
        report = make_report(guard)
        make_picture(report), make_picture(report)

    with django_assert_num_queries(5):  # key, count, reports, files, thumbnails
        assert len(app.get(URL).json()["results"]) == number


def test_a_page_has_as_many_rows_as_asked_for(app: APIClient, guard: Guard) -> None:
    for _report in range(3):
        make_report(guard)

    page = app.get(URL, {"page_size": 2}).json()

    assert (page["count"], len(page["results"])) == (3, 2)
    assert app.get(URL, {"page": 9}).status_code == 404


def test_no_address_of_the_api_answers_in_html(app: APIClient) -> None:
    for path in ("/api/mobile/guard-reports/x/", "/api/nothing/", f"{URL}999999999999999999999/"):
        response = app.get(path)

        assert response.status_code == 404
        assert response["Content-Type"] == "application/json"


def test_errors_are_in_the_callers_language(app: APIClient) -> None:
    response = app.post(URL, {}, format="multipart", headers={"Accept-Language": "es"})

    assert "al menos un archivo" in str(response.json()["file"])


def test_an_upload_with_too_many_fields_is_refused(app: APIClient) -> None:
    response = send(app, **{f"field{index}": "x" for index in range(1100)})

    assert (response.status_code, response.json()["detail"]) == (400, "The request has too many fields.")


def test_fields_larger_than_memory_should_hold_are_refused(app: APIClient) -> None:
    response = send(app, file=photo(), note="n" * 3_000_000)

    assert response.status_code == 413
