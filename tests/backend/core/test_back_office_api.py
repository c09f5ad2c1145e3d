from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from core.models import Guard, Profile, Shift
from qu_workflows.records.models import TaskRecord, TaskStatus
from tests.backend.people import make_client, make_guard, make_property, make_shift, make_user

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 24, 20, tzinfo=UTC)


def sign_in(username: str, password: str) -> Any:
    return APIClient().post("/api/token/", {"username": username, "password": password}, format="json")


def test_staff_signs_in_with_a_password_and_stays_signed_in() -> None:
    user = make_user(is_staff=True, is_superuser=True, password="correct horse")

    tokens = sign_in(user.username, "correct horse").json()

    again = APIClient().post("/api/token/refresh/", {"refresh": tokens["refresh"]}, format="json").json()
    for access in (tokens["access"], again["access"]):
        client = APIClient(headers={"Authorization": f"Bearer {access}"})
        assert client.get("/api/guards/").status_code == 200


def test_a_new_password_ends_the_tokens_of_the_old_one() -> None:
    user = make_user(is_staff=True, is_superuser=True, password="correct horse")
    tokens = sign_in(user.username, "correct horse").json()
    user.set_password("battery staple")
    user.save()

    again = APIClient().post("/api/token/refresh/", {"refresh": tokens["refresh"]}, format="json").json()

    for access in filter(None, (tokens["access"], again.get("access"))):
        client = APIClient(headers={"Authorization": f"Bearer {access}"})
        assert client.get("/api/guards/").status_code == 401


def test_a_wrong_password_or_token_is_not_let_in() -> None:
    user = make_user(is_staff=True, password="correct horse")

    assert sign_in(user.username, "wrong").status_code == 401
    assert APIClient(headers={"Authorization": "Bearer x"}).get("/api/guards/").status_code == 401
    assert APIClient().get("/api/guards/").status_code == 401


@pytest.mark.parametrize("path", ["clients", "guards", "properties", "shifts", "guard-reports", "tasks"])
def test_only_staff_is_let_in(path: str) -> None:
    visitor = APIClient()
    visitor.force_authenticate(make_user())

    assert visitor.get(f"/api/{path}/").status_code == 403


@pytest.mark.parametrize("path", ["clients", "guards", "properties", "shifts", "guard-reports", "tasks"])
def test_staff_without_the_right_to_view_sees_nothing(path: str) -> None:
    newcomer = APIClient()
    newcomer.force_authenticate(make_user(is_staff=True))

    assert newcomer.get(f"/api/{path}/").status_code == 403


def test_the_api_has_the_rights_of_the_admin() -> None:
    guard, clerk = make_guard(), make_user(is_staff=True)
    api = APIClient()

    def try_all() -> list[int]:
        api.force_authenticate(User.objects.get(pk=clerk.pk))  # rights are kept with the object
        return [
            api.get(f"/api/guards/{guard.pk}/").status_code,
            api.patch(f"/api/guards/{guard.pk}/", {"phone": "1"}, format="json").status_code,
            api.post("/api/guards/", {"username": "new-guard"}, format="json").status_code,
            api.delete(f"/api/guards/{guard.pk}/").status_code,
        ]

    found = [try_all()]
    for right in ("view_guard", "change_guard", "add_guard"):
        clerk.user_permissions.add(Permission.objects.get(codename=right))
        found.append(try_all())
        Guard.objects.update(is_active=True)

    assert found == [[403, 403, 403, 403], [200, 403, 403, 403], [200, 200, 403, 204], [200, 200, 201, 204]]


def test_the_mobile_apps_key_opens_no_back_office() -> None:
    from core.authentication import issue_api_key

    guard = make_guard()
    _key, text = issue_api_key("Mobile app", guard)
    app = APIClient(headers={"X-Api-Key": text, "X-Guard-ID": str(guard.pk)})

    assert app.get("/api/guards/").status_code == 401


def test_a_guard_is_added_with_a_user_of_his_own(staff: APIClient) -> None:
    new = {"username": "guard-a", "first_name": "Guard", "email": "guard-a@example.com", "language": "es"}

    response = staff.post("/api/guards/", new | {"is_armed": True, "phone": "555"}, format="json")

    guard = Guard.objects.get()
    assert response.status_code == 201, response.content
    assert response.json() == {
        "id": guard.pk, "user": guard.user_id, "username": "guard-a", "first_name": "Guard", "last_name": "",
        "email": "guard-a@example.com", "language": "es", "phone": "555", "is_active": True, "address": "",
        "is_armed": True,
    }  # fmt: skip
    assert not guard.user.has_usable_password()


def test_a_person_is_changed_with_the_user_behind(staff: APIClient) -> None:
    client = make_client()

    response = staff.patch(f"/api/clients/{client.pk}/", {"email": "new@example.com", "language": "es"}, format="json")

    assert response.status_code == 200
    assert User.objects.get(client=client).email == "new@example.com"
    assert Profile.objects.get(user__client=client).language == "es"
    assert (response.json()["email"], response.json()["language"]) == ("new@example.com", "es")


@pytest.mark.parametrize("role", ["is_staff", "is_superuser"])
def test_an_account_of_staff_is_not_changed_with_its_guard(staff: APIClient, role: str) -> None:
    guard = make_guard()
    User.objects.filter(pk=guard.user_id).update(**{role: True})

    renamed = staff.patch(f"/api/guards/{guard.pk}/", {"username": "renamed", "email": "a@example.com"}, format="json")
    called = staff.patch(f"/api/guards/{guard.pk}/", {"phone": "5"}, format="json")

    assert (renamed.status_code, list(renamed.json()), called.status_code) == (400, ["user"], 200)
    assert User.objects.get(pk=guard.user_id).username == guard.user.username


def test_two_people_can_not_share_a_name(staff: APIClient) -> None:
    first, second = make_guard(), make_guard()

    taken = staff.patch(f"/api/guards/{second.pk}/", {"username": first.user.username}, format="json")
    kept = staff.patch(f"/api/guards/{second.pk}/", {"username": second.user.username}, format="json")

    assert (taken.status_code, list(taken.json())) == (400, ["username"])
    assert kept.status_code == 200


def test_a_property_has_its_supervisors_in_order(staff: APIClient) -> None:
    owner, first, second = make_client(), make_user("supervisor"), make_user("supervisor")
    new = {"owner": owner.pk, "name": "Property 1", "address": "1 Example Street", "supervisors": [second.pk, first.pk]}

    created = staff.post("/api/properties/", new, format="json").json()
    changed = staff.patch(f"/api/properties/{created['id']}/", {"supervisors": [first.pk, first.pk]}, format="json")
    renamed = staff.patch(f"/api/properties/{created['id']}/", {"name": "Property 2"}, format="json")

    assert created["supervisors"] == [second.pk, first.pk]
    assert changed.json()["supervisors"] == [first.pk]
    assert (renamed.json()["name"], renamed.json()["supervisors"]) == ("Property 2", [first.pk])


def test_a_time_zone_has_to_exist(staff: APIClient) -> None:
    response = staff.patch(f"/api/properties/{make_property().pk}/", {"time_zone": "Nowhere"}, format="json")

    assert response.status_code == 400
    assert "Nowhere is not a time zone" in str(response.json()["time_zone"])


def test_a_shift_ends_after_it_starts(staff: APIClient) -> None:
    times = {"planned_start": START.isoformat(), "planned_end": (START + timedelta(hours=8)).isoformat()}
    new = {"guard": make_guard().pk, "property": make_property().pk} | times

    backwards = staff.post("/api/shifts/", new | {"planned_end": START.isoformat()}, format="json")
    created = staff.post("/api/shifts/", new, format="json")
    ended = staff.patch(f"/api/shifts/{created.json()['id']}/", {"actual_end": START.isoformat()}, format="json")

    assert backwards.status_code == 400
    assert "The planned end must be later than the planned start." in str(backwards.json())
    assert created.status_code == 201
    assert "The actual end needs an actual start, and must not be earlier." in str(ended.json())
    assert Shift.objects.count() == 1


@pytest.mark.parametrize(
    ("path", "make"),
    [
        ("clients", make_client),
        ("guards", make_guard),
        ("properties", make_property),
        ("shifts", lambda: make_shift(make_guard())),
    ],
)
def test_what_is_deleted_is_only_out_of_use(staff: APIClient, path: str, make: Callable[[], Any]) -> None:
    kept, gone = make(), make()

    assert staff.delete(f"/api/{path}/{gone.pk}/").status_code == 204

    gone.refresh_from_db()
    assert not gone.is_active
    shown = [row["id"] for row in staff.get(f"/api/{path}/").json()["results"]]
    assert kept.pk in shown
    assert gone.pk not in shown
    out_of_use = staff.get(f"/api/{path}/", {"is_active": "false"}).json()["results"]
    assert [row["id"] for row in out_of_use] == [gone.pk]
    assert staff.patch(f"/api/{path}/{gone.pk}/", {"is_active": True}, format="json").json()["is_active"]


@pytest.mark.parametrize(
    ("path", "make", "queries"),
    [
        ("clients", make_client, 2),
        ("guards", make_guard, 2),
        ("properties", lambda: make_property(make_user(), make_user()), 4),
        ("shifts", lambda: make_shift(make_guard()), 2),
        ("tasks", lambda: TaskRecord.objects.create(task="t", workflow="run_task", enqueued_at=START), 2),
    ],
)
@pytest.mark.parametrize("number", [1, 6])
def test_a_list_takes_the_same_queries_whatever_its_length(
    staff: APIClient,
    path: str,
    make: Callable[[], Any],
    queries: int,
    number: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _row in range(number):
        make()

    with django_assert_num_queries(queries):
        assert staff.get(f"/api/{path}/").json()["count"] == number


def test_people_are_found_by_name(staff: APIClient) -> None:
    guard = make_guard(user=make_user(last_name="Findable"))
    make_guard()

    found = staff.get("/api/guards/", {"search": "findable"}).json()["results"]

    assert [row["id"] for row in found] == [guard.pk]


@pytest.mark.parametrize(
    "query", [{"search": "word " * 9}, {"search": "x" * 201}, {"search": ",".join("abcdefghi")}, {"owner": 10**20}]
)
def test_a_costly_or_impossible_query_is_refused(staff: APIClient, query: dict[str, Any]) -> None:
    response = staff.get("/api/properties/", query)

    assert (response.status_code, list(response.json())) == (400, list(query))


def test_tasks_are_read_only_and_narrowed_down(staff: APIClient) -> None:
    record = TaskRecord.objects.create(
        task="process_guard_report",
        workflow="guard_report",
        payload={"report_id": 7, "secret": "kept inside"},
        subject_id=7,
        status=TaskStatus.FAILED,
        error="ReportNotFound",
        execution_arn="arn:aws:states:us-east-2:123456789012:execution:dev-guard_report:x",
        enqueued_at=START,
    )
    TaskRecord.objects.create(task="custom_processing", workflow="run_task", enqueued_at=START)

    listed = staff.get("/api/tasks/", {"report_id": 7}).json()["results"]
    shown = staff.get(f"/api/tasks/{record.pk}/").json()

    assert listed == [shown]
    assert {
        "id": record.pk,
        "task": "process_guard_report",
        "status": "FAILED",
        "report_id": 7,
    }.items() <= shown.items()
    assert (shown["error"], shown["execution_arn"]) == ("ReportNotFound", record.execution_arn)
    assert "kept inside" not in str(shown)
    assert staff.delete(f"/api/tasks/{record.pk}/").status_code == 405
    assert staff.post("/api/tasks/", {}, format="json").status_code == 405
    assert staff.get("/api/tasks/", {"status": "NO"}).status_code == 400
