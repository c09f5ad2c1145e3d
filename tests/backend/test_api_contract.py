"""The API against its own OpenAPI document."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from pytest_django import Settings
from rest_framework_simplejwt.tokens import AccessToken
from schemathesis import Case, HookContext

from core.authentication import issue_api_key
from qu_workflows.records.models import TaskRecord
from tests.backend.people import make_guard, make_picture, make_property, make_report, make_shift, make_user

pytestmark = pytest.mark.django_db
MAX_EXAMPLES = 12
EARLIEST, LATEST = datetime(2000, 1, 2), datetime(2026, 1, 1)  # noqa: DTZ001  a Z is added

schema = schemathesis.openapi.from_wsgi("/api/schema/?format=json", get_wsgi_application())
schema.config.generation.allow_x00 = False  # JSON Schema cannot say "no NUL"; the API's own tests do


@dataclass(frozen=True)
class World:
    """Rows that are there, so that not every id leads to a 404."""

    ids: dict[str, int | str]
    guard_headers: dict[str, str]
    staff_headers: dict[str, str]


_world: list[World] = []
_numbers = count(1)


schemathesis.openapi.format("date-time", st.datetimes(EARLIEST, LATEST).map(lambda moment: f"{moment.isoformat()}Z"))


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:  # noqa: ARG001  the hook's signature
    """Use existing rows and valid shifts, which a schema cannot express."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    ids = _world[0].ids
    kind = case.path.strip("/").split("/")[-2] if case.path_parameters else ""
    for name, value in list(case.path_parameters.items()):
        if value in {0, 1} or isinstance(value, str):  # the others lead to a 404
            case.path_parameters[name] = ids[kind]
    if isinstance(case.body, dict):
        case.body = _shift_times(
            {name: _existing(name, value, ids) for name, value in case.body.items()},
        )


@schemathesis.hook
def filter_query(context: HookContext, query: dict[str, Any] | None) -> bool:  # noqa: ARG001  the hook's signature
    """Drop a repeated parameter: Django takes the last, which may be valid."""
    return not any(isinstance(value, list) for value in (query or {}).values())


def _existing(name: str, value: Any, ids: dict[str, Any]) -> Any:
    match name:
        case "owner" | "property" | "guard":
            return ids[{"owner": "clients", "property": "properties", "guard": "guards"}[name]]
        case "supervisors":
            return [ids["user"]] * len(value)
        case "file":
            return value or b"x"
        case "files":
            return [file or b"x" for file in value]
        case "time_zone":
            return "Europe/Madrid"
        case "username":
            return f"{value[:100]}{next(_numbers)}"
    return value


def _shift_times(body: dict[str, Any]) -> dict[str, Any]:
    if "planned_end" in body:
        body["planned_end"] = f"{LATEST.isoformat()}Z"
    if "planned_start" in body:
        body["planned_start"] = f"{EARLIEST.isoformat()}Z"
    if {"actual_start", "actual_end"} & body.keys():
        body["actual_start"] = body["actual_end"] = body.get("actual_start") or body.get("actual_end")
    return body


def _has_a_file(case: Case[Any]) -> bool:
    return isinstance(case.body, dict) and bool({"file", "files"} & case.body.keys())


@pytest.fixture(autouse=True)
def world(db: None, settings: Settings, tmp_path: Path) -> None:  # noqa: ARG001  it has the database ready
    settings.MEDIA_ROOT = tmp_path / "media"
    guard = make_guard()
    place = make_property(make_user("supervisor"))
    report = make_report(guard, property=place, shift=make_shift(guard, place))
    make_picture(report)
    task = TaskRecord.objects.create(task="t", workflow="run_task", enqueued_at=timezone.now())
    staff = make_user("staff", is_staff=True, is_superuser=True, password="correct horse")
    _key, text = issue_api_key("Mobile app", guard)
    _world[:] = [
        World(
            ids={
                "clients": place.owner_id,
                "guards": guard.pk,
                "properties": place.pk,
                "shifts": report.shift_id or 0,
                "guard-reports": report.pk,
                "by-guard": guard.pk,
                "tasks": task.pk,
                "user": staff.pk,
            },
            guard_headers={"X-Api-Key": text, "X-Guard-ID": str(guard.pk)},
            staff_headers={"Authorization": f"Bearer {AccessToken.for_user(staff)}"},
        )
    ]


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """Keep the test's transaction through many requests, as Django's own test client does."""
    both = (request_started, request_finished)
    for signal in both:
        signal.disconnect(close_old_connections)
    yield
    for signal in both:
        signal.connect(close_old_connections)


@schema.parametrize()
@settings(
    max_examples=MAX_EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_api_keeps_its_word(case: Case[Any]) -> None:
    world = _world[0]
    phase = case.meta and case.meta.phase.data
    what = str(getattr(phase, "description", "")).lower()
    if what.startswith(("object with ", "valid object", "positive ")) and _has_a_file(case):
        return  # taken for invalid because it fits one branch of anyOf and not the other; one is enough
    case.call_and_validate(headers=world.guard_headers if "/mobile/" in case.path else world.staff_headers)
