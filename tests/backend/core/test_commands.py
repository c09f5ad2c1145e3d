import json
from io import StringIO

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from core.authentication import find_api_key
from core.models import ApiKey, Guard, Property, Shift
from reports.services import recipients_of, shift_at
from tests.backend.people import make_guard, make_report

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue().strip()


def test_a_key_is_printed_once() -> None:
    guard = make_guard()

    text = run("create_api_key", "Mobile app 2.0", "--guard", str(guard.pk))

    key = find_api_key(text)
    assert key is not None
    assert (key.name, key.guard) == ("Mobile app 2.0", guard)


def test_a_key_for_all_guards_needs_the_setting(settings: Settings) -> None:
    with pytest.raises(CommandError, match="API_KEYS_FOR_ALL_GUARDS is off"):
        run("create_api_key", "Old app", "--all-guards")
    with pytest.raises(CommandError, match="99 is not the id of an active guard"):
        run("create_api_key", "Old app", "--guard", "99")
    settings.API_KEYS_FOR_ALL_GUARDS = True

    key = find_api_key(run("create_api_key", "Old app", "--all-guards"))

    assert key is not None
    assert key.guard is None


def test_the_demo_has_guards_on_shift_and_recipients() -> None:
    demo = json.loads(run("seed_demo", "--password", "correct horse"))

    guards = Guard.objects.filter(pk__in=demo["guard_ids"])
    places = Property.objects.filter(pk__in=demo["property_ids"])
    assert len(guards) == 3
    for guard in guards:
        shift = shift_at(guard, timezone.now())
        assert shift is not None
        assert shift.pk in demo["shift_ids"]
    for place in places:
        assert [person.role for person in recipients_of(make_report(property=place))] == [
            "client", "supervisor", "supervisor",
        ]  # fmt: skip
    assert find_api_key(demo["api_key"]) is not None
    staff = authenticate(username=demo["staff_username"], password="correct horse")
    assert staff is not None
    assert staff.is_staff


def test_the_demo_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    first = json.loads(run("seed_demo", "--password", "correct horse"))
    monkeypatch.setenv("DEMO_PASSWORD", "battery staple")

    second = json.loads(run("seed_demo"))

    assert {**first, "api_key": ""} == {**second, "api_key": ""}
    assert find_api_key(first["api_key"]) is None
    assert find_api_key(second["api_key"]) is not None
    assert Shift.objects.count() == 3
    assert ApiKey.objects.active().count() == 1
    assert authenticate(username="admin", password="battery staple") is not None


def test_the_demo_asks_for_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEMO_PASSWORD", raising=False)

    with pytest.raises(CommandError, match="Give --password or set DEMO_PASSWORD"):
        call_command("seed_demo")


def test_the_demo_stays_out_of_production(settings: Settings) -> None:
    settings.STAGE = "production"

    with pytest.raises(CommandError, match="production"):
        call_command("seed_demo", "--password", "x")
