"""Logging, tracing, encryption and role of a state machine: what is right, and what holds where nothing is said."""

import re
from collections.abc import Mapping

from asl_engine.jsontext import Json
from asl_engine.server.api_errors import api_error

_DEFAULTS: Mapping[str, Json] = {
    "loggingConfiguration": {"level": "OFF", "includeExecutionData": False},
    "tracingConfiguration": {"enabled": False},
    "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
}
_ROLE_ARN = re.compile(r"arn:[\w-]+:iam::\d{0,12}:role/.+")
_LOG_GROUP_ARN = re.compile(r"arn:[\w-]+:logs:[\w-]+:\d{12}:log-group:[^:]+:\*")
_KMS_KEY_PERIOD_SECONDS = 300


def with_default(name: str, asked: Mapping[str, Json], current: Json = None) -> Json:
    """Return a configuration as asked for, its gaps filled; ``current`` where it is not asked for."""
    given = asked.get(name)
    if given is None:
        return current or _DEFAULTS[name]
    if name == "encryptionConfiguration":
        return given
    return {**_DEFAULTS[name], **given}


def check_role(arn: str) -> str:
    """Return a role's ARN. Raises InvalidArn."""
    if not _ROLE_ARN.fullmatch(arn):
        raise api_error("InvalidArn", f"Invalid Role Arn: {arn}")
    return arn


def check_logging(configuration: Json) -> Json:
    """Return a logging configuration. Raises InvalidLoggingConfiguration.

    Nothing is sent to CloudWatch: the destination is checked for its form and shown again.
    """
    destinations = configuration.get("destinations", [])
    wanted = configuration["level"] != "OFF"
    if len(destinations) > 1 or (wanted and not destinations):
        raise api_error("InvalidLoggingConfiguration", "Must specify exactly one Log Destination.")
    for destination in destinations:
        arn = (destination.get("cloudWatchLogsLogGroup") or {}).get("logGroupArn") or ""
        if not _LOG_GROUP_ARN.fullmatch(arn):
            raise api_error(
                "InvalidLoggingConfiguration", "Log Destination is not a valid CloudWatch Logs log group ARN."
            )
    return configuration


def check_encryption(configuration: Json) -> Json:
    """Return an encryption configuration. Raises InvalidEncryptionConfiguration. Nothing is encrypted here."""
    own_key = configuration["type"] == "CUSTOMER_MANAGED_KMS_KEY"
    if own_key != bool(configuration.get("kmsKeyId")):
        remedy = "Give kmsKeyId with CUSTOMER_MANAGED_KMS_KEY, and only with it."
        raise api_error("InvalidEncryptionConfiguration", remedy)
    if own_key:
        return {"kmsDataKeyReusePeriodSeconds": _KMS_KEY_PERIOD_SECONDS, **configuration}
    return configuration
