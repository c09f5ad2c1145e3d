"""The table of the cache ``shared``, in which processes count sign-ins and uploads."""

from typing import Any

from django.core.management import call_command
from django.db import migrations


def create_table(apps: Any, schema_editor: Any) -> None:  # noqa: ARG001  Django's signature
    call_command("createcachetable", "shared_cache", database=schema_editor.connection.alias, verbosity=0)


class Migration(migrations.Migration):
    dependencies = [("core", "0002_api_keys_of_guards")]

    operations = [migrations.RunPython(create_table, migrations.RunPython.noop)]
