"""JSON of a service's requests and answers, by botocore's model and in the SDKs' spelling.

In requests, a value in place of a text is sent as its JSON, and a text in place of bytes as UTF-8. In answers,
bytes are a text if they are UTF-8, else base64.
"""

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from asl_engine.adapters.sdk_names import boto3_name, capitalised, pascal_case
from asl_engine.jsontext import Json, dumps

if TYPE_CHECKING:
    from botocore.model import ServiceModel

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


# --- validation of mocked results (TestState) ---
# https://docs.aws.amazon.com/step-functions/latest/dg/test-state-isolation.html

_BOTO3_NAMES = {"states": "stepfunctions"}
_EXPECTED: dict[str, tuple[type | tuple[type, ...], str]] = {
    "string": (str, "a string"),
    "character": (str, "a string"),
    "blob": (str, "a string"),
    "timestamp": (str, "a string"),
    "integer": (int, "a number"),
    "long": (int, "a number"),
    "float": ((int, float), "a number"),
    "double": ((int, float), "a number"),
    "boolean": (bool, "a boolean"),
    "list": (list, "an array"),
    "structure": (dict, "an object"),
    "map": (dict, "an object"),
}


def problems_with(service: str, action: str, result: Json, mode: str = "STRICT") -> list[str]:
    """Return the problems of a value as an operation's result, none for an unknown operation.

    ``service`` is that of a Resource: ``events``, ``aws-sdk:kms``. STRICT checks required fields, PRESENT only
    existing ones, NONE nothing. Fields that the service does not have are ignored.
    """
    if mode == "NONE" or not isinstance(result, dict):
        return []
    sdk = service.startswith("aws-sdk:")
    shape = _output_shape(service.removeprefix("aws-sdk:"), capitalised(action), sdk=sdk)
    if shape is None:
        return []
    if (service, action) == ("lambda", "invoke"):  # its Payload is the function's own JSON, not a blob
        result = {key: value for key, value in result.items() if key != "Payload"}
    return list(_problems(shape, result, SDK if sdk else OPTIMISED, strict=mode == "STRICT"))


def _problems(shape: Any, value: Json, spelling: Spelling, *, strict: bool) -> Iterator[str]:
    """Yield the problems of a structure's members, nested ones included."""
    for name, member in shape.members.items():
        field = spelling.name(name)
        if field in value:
            yield from _field_problems(field, member, value[field], spelling, strict=strict)
        elif strict and name in shape.required_members:
            yield f"Required field '{field}' is missing"


def _field_problems(field: str, shape: Any, value: Json, spelling: Spelling, *, strict: bool) -> Iterator[str]:
    kind, words = _EXPECTED[shape.type_name]
    if not _is_a(kind, value):
        yield f"Field '{field}' must be {words}"
    elif shape.type_name == "list":
        for item in value:
            yield from _field_problems(field, shape.member, item, spelling, strict=strict)
    elif shape.type_name == "map":
        for item in value.values():
            yield from _field_problems(field, shape.value, item, spelling, strict=strict)
    elif shape.type_name == "structure":
        yield from _problems(shape, value, spelling, strict=strict)
    else:
        yield from _range_problems(field, shape, value)


def _is_a(kind: type | tuple[type, ...], value: Json) -> bool:
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _range_problems(field: str, shape: Any, value: Json) -> Iterator[str]:
    if shape.type_name == "string" and shape.enum and value not in shape.enum:
        yield f"Field '{field}' is not an expected value"
    if shape.type_name == "blob" and len(value) < shape.metadata.get("min", 0):
        yield f"Field '{field}' is smaller than the minimum length"
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value < shape.metadata.get("min", value):
            yield f"Field '{field}' is less than the minimum value"
        if value > shape.metadata.get("max", value):
            yield f"Field '{field}' exceeds the maximum value"


def _output_shape(service: str, operation: str, *, sdk: bool) -> Any:
    model = _service_model(service, sdk)
    if model is None or operation not in model.operation_names:
        return None
    return model.operation_model(operation).output_shape


@cache
def _service_model(service: str, sdk: bool) -> "ServiceModel | None":
    from botocore.exceptions import UnknownServiceError
    from botocore.session import Session

    session = Session()
    name = boto3_name(service, session.get_available_services()) if sdk else _BOTO3_NAMES.get(service, service)
    if name is None:
        return None
    try:
        return session.get_service_model(name)
    except UnknownServiceError:
        return None
