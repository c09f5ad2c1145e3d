"""Conversion between a state machine's JSON and a service's shapes, in the SDKs' spelling.

In requests, a value in place of a text is sent as its JSON, and a text in place of bytes as UTF-8. In answers,
bytes are a text if they are UTF-8, else base64.
"""

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from asl_engine.adapters.sdk_names import capitalised, pascal_case
from asl_engine.jsontext import Json, dumps

# botocore's model of a value, None for an operation without one
type BotocoreShape = Any


def _epoch_ms(moment: datetime) -> Json:
    return round(moment.timestamp() * 1000)


def _iso_text(moment: datetime) -> Json:
    moment = moment.astimezone(UTC)
    fraction = f".{moment.microsecond // 1000:03d}" if moment.microsecond else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


@dataclass(frozen=True, slots=True)
class Spelling:
    """The spelling of members and times in one kind of integration."""

    name: Callable[[str], str]
    moment: Callable[[datetime], Json]


OPTIMISED = Spelling(capitalised, _epoch_ms)
SDK = Spelling(pascal_case, _iso_text)


class UnknownField(Exception):
    """The operation does not have this parameter."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def request_of(shape: BotocoreShape, value: Json, spelling: Spelling) -> Any:
    """Return parameters for boto3, without nulls. Raises UnknownField."""
    if shape is None:
        return {}
    if shape.type_name == "structure" and isinstance(value, dict):
        return dict(_members_of(shape, value, spelling))
    if shape.type_name == "list" and isinstance(value, list):
        return [request_of(shape.member, item, spelling) for item in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: request_of(shape.value, item, spelling) for key, item in value.items()}
    return _scalar(shape.type_name, value)


def missing_members(shape: BotocoreShape, request: Mapping[str, Any]) -> list[str]:
    """Return the required members missing from a request."""
    required: list[str] = getattr(shape, "required_members", [])
    return [name for name in required if name not in request]


def answer_of(shape: BotocoreShape, value: Any, spelling: Spelling) -> Json:
    """Return a boto3 answer as JSON."""
    if shape is None:
        return {}
    if shape.type_name == "structure" and isinstance(value, Mapping):
        return {
            spelling.name(name): answer_of(shape.members.get(name), item, spelling)
            for name, item in value.items()
            if name in shape.members
        }
    if shape.type_name == "list" and isinstance(value, list):
        return [answer_of(shape.member, item, spelling) for item in value]
    if shape.type_name == "map" and isinstance(value, Mapping):
        return {key: answer_of(shape.value, item, spelling) for key, item in value.items()}
    return _plain(value, spelling)


def sdk_metadata(headers: list[tuple[str, str]], status: int, request_id: str) -> dict[str, Json]:
    """Return the HTTP metadata in a result of an optimised integration."""
    every: dict[str, list[str]] = {}
    for name, value in headers:
        every.setdefault(name, []).append(value)
    return {
        "SdkHttpMetadata": {
            "AllHttpHeaders": every,
            "HttpHeaders": {name: values[0] for name, values in every.items()},
            "HttpStatusCode": status,
        },
        "SdkResponseMetadata": {"RequestId": request_id},
    }


def _members_of(shape: BotocoreShape, value: Mapping[str, Json], spelling: Spelling) -> Iterator[tuple[str, Any]]:
    by_spelling = {spelling.name(name): name for name in shape.members} | {name: name for name in shape.members}
    for key, item in value.items():
        name = by_spelling.get(key)
        if name is None:
            raise UnknownField(key)
        if item is not None:
            yield name, request_of(shape.members[name], item, spelling)


def _scalar(kind: str, value: Json) -> Any:
    if kind == "blob":
        return (value if isinstance(value, str) else dumps(value)).encode()
    if kind == "string" and not isinstance(value, str):
        return dumps(value)
    return value


def _plain(value: Any, spelling: Spelling) -> Json:
    if isinstance(value, datetime):
        return spelling.moment(value)
    if hasattr(value, "read"):
        value = value.read()
    if isinstance(value, bytes | bytearray):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    return value
