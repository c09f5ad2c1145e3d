"""Validation of requests, in AWS's words: limits of fields, names, ARNs, definitions and configurations.

All violated limits of a request are in one ValidationException, as "N validation errors detected: Value '…' at '…'
failed to satisfy constraint: …; …". ``request_fields.py`` has the limits.
https://docs.aws.amazon.com/step-functions/latest/apireference/CommonErrors.html
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from asl_engine.definition.checks import check
from asl_engine.definition.diagnostics import Diagnostic, errors_of, refusal_text
from asl_engine.errors import ApiError
from asl_engine.json_problems import problem_of
from asl_engine.jsontext import Json

# --- errors ---

_TEXTS = {
    "ActivityAlreadyExists": "Activity Already Exists: '{}'",
    "ActivityDoesNotExist": "Activity Does Not Exist: '{}'",
    "InvalidArn": "Invalid Arn: '{}'",
    "InvalidEncryptionConfiguration": "Invalid Encryption Configuration: {}",
    "InvalidExecutionInput": "Invalid State Machine Execution Input: '{}'",
    "InvalidLoggingConfiguration": "Invalid Logging Configuration: {}",
    "InvalidName": "Invalid Name: '{}'",
    "InvalidOutput": "Invalid Output: '{}'",
    "ResourceNotFound": "Resource not found: '{}'",
    "StateMachineAlreadyExists": "State Machine Already Exists: '{}'",
    "StateMachineDeleting": "State Machine is Deleting: '{}'",
    "StateMachineDoesNotExist": "State Machine Does Not Exist: '{}'",
    "StateMachineTypeNotSupported": "This operation is not supported by this type of state machine",
    "TooManyTags": "Too many tags: '{}'",
}


def api_error(code: str, subject: object = "") -> ApiError:
    """Return the error of a code. Without a text here, ``subject`` is the message."""
    return ApiError(code, _TEXTS.get(code, "{}").replace("{}", str(subject)))


validation_error = partial(api_error, "ValidationException")


def invalid_input(text: str) -> ApiError:
    """Return the error of an execution's input that is not JSON."""
    if not text.strip():
        return ApiError("InvalidExecutionInput", "Invalid execution input.")
    return api_error("InvalidExecutionInput", problem_of(text).message)


def check_definition(definition: str, machine_type: str) -> None:
    """Raise InvalidDefinition with every problem of a definition, if it has any."""
    refuse_definition(check(definition, machine_type))


def refuse_definition(diagnostics: list[Diagnostic]) -> None:
    """Raise InvalidDefinition if any of the diagnostics is an error."""
    if errors_of(diagnostics):
        raise ApiError("InvalidDefinition", refusal_text(diagnostics))


# --- names and ARNs ---

# https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html ("name must not contain")
_FORBIDDEN_IN_NAME = re.compile(r'[\s<>{}\[\]?*"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]')
_VERSION = re.compile(r"[0-9]+")
_ROLE_ARN = re.compile(r"arn:[\w-]+:iam::\d{0,12}:role/.+")
_LOG_GROUP_ARN = re.compile(r"arn:[\w-]+:logs:[\w-]+:\d{12}:log-group:[^:]+:\*")


def check_name(name: str) -> str:
    """Return a valid name. Raises InvalidName."""
    if _FORBIDDEN_IN_NAME.search(name) or any(unicodedata.category(letter) == "Cn" for letter in name):
        raise api_error("InvalidName", name)
    return name


@dataclass(frozen=True, slots=True)
class Account:
    """The owner and region of resources."""

    region: str = "us-east-1"
    account: str = "000000000000"

    def arn(self, kind: str, *parts: str) -> str:
        """Return the ARN of a resource: ``stateMachine``, ``execution``, ``express``, ``activity``, ``mapRun``."""
        return ":".join(("arn:aws:states", self.region, self.account, kind, *parts))


@dataclass(frozen=True, slots=True)
class StatesArn:
    """A parsed Step Functions ARN. ``parts`` follow the kind of resource."""

    text: str
    kind: str
    parts: tuple[str, ...]

    @property
    def state_machine(self) -> str:
        """The ARN of the state machine without version or alias."""
        return ":".join([*self.text.split(":")[:6], self.parts[0]])

    @property
    def qualifier(self) -> str | None:
        """A state machine's version number or alias."""
        return self.parts[1] if len(self.parts) > 1 else None

    @property
    def is_version(self) -> bool:
        """True if the qualifier is a version."""
        return self.qualifier is not None and _VERSION.fullmatch(self.qualifier) is not None


def parse_arn(text: str, *kinds: str) -> StatesArn:
    """Parse an ARN of one of the given kinds of resource. Raises InvalidArn."""
    if not text.startswith("arn:"):
        raise api_error("InvalidArn", f"Invalid ARN prefix: {text}")
    fields = text.split(":")
    if len(fields) < 7 or not fields[6]:
        raise api_error("InvalidArn", f"Invalid ARN: {text}")
    if fields[2] != "states":
        raise api_error("InvalidArn", f"Invalid service in ARN: {fields[2]}")
    if fields[5] not in kinds:
        raise api_error("InvalidArn", f"Resource type not valid in this context: {fields[5]}")
    return StatesArn(text, fields[5], tuple(fields[6:]))


def check_role(arn: str) -> str:
    """Return a role's ARN. Raises InvalidArn."""
    if not _ROLE_ARN.fullmatch(arn):
        raise api_error("InvalidArn", f"Invalid Role Arn: {arn}")
    return arn


# --- configurations: checked and shown, without effect ---

_DEFAULTS: Mapping[str, Json] = {
    "loggingConfiguration": {"level": "OFF", "includeExecutionData": False},
    "tracingConfiguration": {"enabled": False},
    "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
}


def with_default(name: str, asked: Mapping[str, Json], current: Json = None) -> Json:
    """Return a request's configuration completed with defaults, or ``current`` if the request has none."""
    given = asked.get(name)
    if given is None:
        return current or _DEFAULTS[name]
    return given if name == "encryptionConfiguration" else {**_DEFAULTS[name], **given}


def check_logging(configuration: Json) -> Json:
    """Return a logging configuration. Raises InvalidLoggingConfiguration."""
    destinations = configuration.get("destinations", [])
    if len(destinations) > 1 or (configuration["level"] != "OFF" and not destinations):
        raise api_error("InvalidLoggingConfiguration", "Must specify exactly one Log Destination.")
    for destination in destinations:
        arn = (destination.get("cloudWatchLogsLogGroup") or {}).get("logGroupArn") or ""
        if not _LOG_GROUP_ARN.fullmatch(arn):
            problem = "Log Destination is not a valid CloudWatch Logs log group ARN."
            raise api_error("InvalidLoggingConfiguration", problem)
    return configuration


def check_encryption(configuration: Json) -> Json:
    """Return an encryption configuration. Raises InvalidEncryptionConfiguration."""
    own_key = configuration["type"] == "CUSTOMER_MANAGED_KMS_KEY"
    if own_key != bool(configuration.get("kmsKeyId")):
        remedy = "Give kmsKeyId with CUSTOMER_MANAGED_KMS_KEY, and only with it."
        raise api_error("InvalidEncryptionConfiguration", remedy)
    return {"kmsDataKeyReusePeriodSeconds": 300, **configuration} if own_key else configuration


# --- limits of fields ---


@dataclass(frozen=True, slots=True)
class Field:
    """A field's type and limits: of a string's or list's length, or a number's value."""

    kind: str  # String, Number, Boolean, List or Structure
    required: bool = False
    min: float | None = None
    max: float | None = None
    real: bool = False  # a number may have a fraction
    pattern: str | None = None
    values: tuple[str, ...] = ()
    member: "Field | None" = None  # of a list
    name: str = ""  # a structure's, which AWS prints
    fields: Mapping[str, "Field"] = field(default_factory=dict)


Text, Number, Flag = partial(Field, "String"), partial(Field, "Number"), partial(Field, "Boolean")


def Items(member: Field, **limits: Any) -> Field:  # noqa: N802  a kind of field, as the others
    """Return a list's field."""
    return Field("List", member=member, **limits)


def Structure(name: str, fields: Mapping[str, Field]) -> Field:  # noqa: N802  a kind of field, as the others
    """Return the field of an object with named fields."""
    return Field("Structure", name=name, fields=fields)


_JSON_TYPES: Mapping[str, tuple[type[Any], ...]] = {
    "String": (str,),
    "Number": (int, float),
    "Boolean": (bool,),
    "List": (list,),
    "Structure": (dict,),
}


def check_request(fields: Mapping[str, Field], arguments: Mapping[str, Json]) -> None:
    """Raise ValidationException for all violated limits, SerializationException for a wrong type."""
    problems = list(_problems_of_fields(fields, arguments, ""))
    if problems:
        head = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected: "
        raise validation_error(head + "; ".join(problems))


def _problems_of_fields(fields: Mapping[str, Field], value: Mapping[str, Json], at: str) -> Iterator[str]:
    for name, limits in fields.items():
        yield from _problems(limits, value.get(name), f"{at}.{name}" if at else name)


def _problems(limits: Field, value: Json, at: str) -> Iterator[str]:
    if value is None:
        if limits.required:
            yield f"Value null at '{at}' failed to satisfy constraint: Member must not be null"
        return
    _check_type(limits, value)
    for constraint in _violated(limits, value):
        yield f"Value '{_shown(limits, value)}' at '{at}' failed to satisfy constraint: Member must {constraint}"
    if limits.kind == "Structure":
        yield from _problems_of_fields(limits.fields, value, at)
    elif limits.member is not None:
        for number, member in enumerate(value, start=1):
            yield from _problems(limits.member, member, f"{at}.{number}.member")


def _check_type(limits: Field, value: Json) -> None:
    right = isinstance(value, _JSON_TYPES[limits.kind]) and (limits.kind == "Boolean" or not isinstance(value, bool))
    if not right or (limits.kind == "Number" and isinstance(value, float) and not limits.real):
        name = type(value).__name__.upper()
        raise ApiError("SerializationException", f"{name}_VALUE can not be converted to a {limits.kind}")  # AWS's words


def _violated(limits: Field, value: Json) -> Iterator[str]:
    what, measure = ("length", len(value)) if limits.kind in ("String", "List") else ("value", value)
    if limits.min is not None and measure < limits.min:
        yield f"have {what} greater than or equal to {limits.min}"
    if limits.max is not None and measure > limits.max:
        yield f"have {what} less than or equal to {limits.max}"
    if limits.pattern and not re.fullmatch(limits.pattern, value, re.ASCII):
        yield f"satisfy regular expression pattern: {limits.pattern}"
    if limits.values and value not in limits.values:
        yield f"satisfy enum value set: [{', '.join(limits.values)}]"


def _shown(limits: Field, value: Json) -> str:
    """Return a value as AWS prints it: the toString of its Java objects."""
    if limits.member is not None:
        return "[" + ", ".join(_shown(limits.member, member) for member in value) + "]"
    if limits.kind == "Structure":
        shown = (f"{name}={_shown(one, value[name])}" for name, one in limits.fields.items() if name in value)
        return f"{limits.name}({', '.join(shown)})"
    return str(value).lower() if isinstance(value, bool) else str(value)
