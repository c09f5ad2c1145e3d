"""Settings that are secret: read from Secrets Manager when a function starts, never part of its configuration."""

import os
from typing import TYPE_CHECKING, cast

from lambdas.shared.runtime.settings import read_text

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

SECRET_SETTINGS = ("DATABASE_URL", "DJANGO_SECRET_KEY")


def read_secrets(client: "SecretsManagerClient | None" = None) -> None:
    """Set each setting whose secret is named: DATABASE_URL_SECRET names the secret whose text is DATABASE_URL.

    A setting without such a name is left as it is. Raises botocore's ClientError, which ends the start of the
    function and so is tried again with the next invocation.
    """
    names = {setting: name for setting in SECRET_SETTINGS if (name := read_text(f"{setting}_SECRET"))}
    if not names:
        return
    secrets = client or _secrets_manager()
    for setting, name in names.items():
        os.environ[setting] = secrets.get_secret_value(SecretId=name)["SecretString"]


def _secrets_manager() -> "SecretsManagerClient":
    # From botocore itself: boto3 adds nothing to one call, and a good part of the import.
    import botocore.session
    from botocore.config import Config

    config = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
    client = botocore.session.get_session().create_client("secretsmanager", config=config)
    return cast("SecretsManagerClient", client)
