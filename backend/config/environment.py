"""Reads settings from the environment, and secret ones from Secrets Manager."""

import os
from functools import cache
from typing import TYPE_CHECKING, cast

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"", "0", "false", "no", "off"})


def read_bool(name: str, default: bool = False) -> bool:
    """Return a switch. Raises ImproperlyConfigured for other words than true and false."""
    word = os.environ.get(name, str(default)).strip().lower()
    if word not in _TRUE | _FALSE:
        raise ImproperlyConfigured(f"{name}={word!r} is neither true nor false. Set {name}=True or {name}=False.")
    return word in _TRUE


def read_int(name: str, default: int) -> int:
    """Return an integer. Raises ImproperlyConfigured for other texts."""
    text = os.environ.get(name, "").strip()
    try:
        return int(text) if text else default
    except ValueError:
        raise ImproperlyConfigured(f"{name}={text!r} is not an integer. Set it to one, such as {default}.") from None


def read_list(name: str, default: str = "") -> list[str]:
    """Return the items of a comma-separated list."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def read_text(name: str, default: str = "") -> str:
    """Return a text without surrounding spaces."""
    return os.environ.get(name, default).strip()


def read_secret(name: str) -> str:
    """Return a secret, "" if neither NAME nor NAME_SECRET is set. NAME wins.

    NAME_SECRET is the name of a secret in Secrets Manager, read once per process. Raises botocore's errors.
    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
    """
    secret_name = read_text(f"{name}_SECRET")
    return read_text(name) or (_fetch(secret_name) if secret_name else "")


@cache
def _fetch(secret_name: str) -> str:
    # botocore alone: boto3 would make the import much slower.
    import botocore.session
    from botocore.config import Config

    config = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
    region = read_text("AWS_SQS_REGION") or None  # else botocore's own: AWS_REGION, on Lambda
    client = botocore.session.get_session().create_client("secretsmanager", region_name=region, config=config)
    secrets = cast("SecretsManagerClient", client)
    return secrets.get_secret_value(SecretId=secret_name)["SecretString"].strip()
