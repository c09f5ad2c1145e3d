"""Settings that are secret: from the environment, or from Secrets Manager by a name in the environment."""

from functools import cache
from typing import TYPE_CHECKING, cast

from config.environment import read_text

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


def read_secret(name: str) -> str:
    """Return a secret text, "" for one that is neither set nor named.

    A set value wins. Else NAME_SECRET names a secret of Secrets Manager, whose text is read once per process.
    Raises botocore's errors, which end the start of the process.
    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
    """
    secret_name = read_text(f"{name}_SECRET")
    return read_text(name) or (_fetch(secret_name) if secret_name else "")


@cache
def _fetch(secret_name: str) -> str:
    # From botocore itself: boto3 adds nothing to one call, and a good part of the import.
    import botocore.session
    from botocore.config import Config

    config = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
    region = read_text("AWS_SQS_REGION") or None  # else botocore's own: AWS_REGION, on Lambda
    client = botocore.session.get_session().create_client("secretsmanager", region_name=region, config=config)
    secrets = cast("SecretsManagerClient", client)
    return secrets.get_secret_value(SecretId=secret_name)["SecretString"].strip()
