"""Settings that are secret: read from Secrets Manager when a function starts, never part of its configuration."""

import os
from typing import TYPE_CHECKING

from lambdas.shared.runtime.aws import aws_client
from lambdas.shared.runtime.settings import read_text

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

SECRET_SETTINGS = ("DATABASE_URL", "DJANGO_SECRET_KEY")


def read_secrets(client: "SecretsManagerClient | None" = None) -> None:
    """Set each setting whose secret is named: DATABASE_URL_SECRET names the secret whose text is DATABASE_URL.

    A setting without such a name is left as it is. Raises botocore's ClientError, which ends the start of the
    function and so is tried again with the next invocation.
    """
    for setting in SECRET_SETTINGS:
        if name := read_text(f"{setting}_SECRET"):
            client = client or aws_client("secretsmanager", attempts=3, connect_seconds=2, read_seconds=5)
            os.environ[setting] = client.get_secret_value(SecretId=name)["SecretString"]
