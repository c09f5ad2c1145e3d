"""A page's content as its JSON twin has it."""

from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from uuid import UUID

from qu_workflows.records.json_values import to_json


class Colour(StrEnum):
    RED = "red"


def test_times_of_a_twin_are_in_utc_whatever_zone_they_came_in() -> None:
    moment = datetime(2026, 11, 24, 14, 3, 7, tzinfo=UTC)

    for hours in (-6, 0, 5):
        local = moment.astimezone(timezone(timedelta(hours=hours)))
        assert to_json({"at": [local]}) == {"at": ["2026-11-24T14:03:07+00:00"]}


def test_values_without_a_json_type_are_converted() -> None:
    identifier = UUID(int=1)

    shown = to_json({"enum": Colour.RED, "for": timedelta(minutes=2), "id": identifier, "all": (1, None, True, "a")})

    assert shown == {"enum": "red", "for": 120.0, "id": str(identifier), "all": [1, None, True, "a"]}
    assert type(shown["enum"]) is str
