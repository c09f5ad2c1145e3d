"""Validation of mocked results by botocore's models of the services (TestState).

https://docs.aws.amazon.com/step-functions/latest/dg/test-state-isolation.html
"""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from asl_engine.adapters.sdk_names import boto3_name, capitalised
from asl_engine.adapters.service_json import OPTIMISED, SDK, Spelling
from asl_engine.jsontext import Json

if TYPE_CHECKING:
    from botocore.model import ServiceModel

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
