"""Has the sweep find by its key who else refers to an object. Built while reports come in: no lock is held for long.

A build that was broken off leaves an index that is not valid: drop it by its name (``DROP INDEX CONCURRENTLY
thumbnail_key``), then migrate again.
https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
"""

from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class AddIndexBesideWriters(AddIndexConcurrently):
    """AddIndexConcurrently where the database can; SQLite, for a first look, has one writer at a time anyway."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Build the index."""
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        else:
            migrations.AddIndex.database_forwards(self, app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Drop the index."""
        if schema_editor.connection.vendor == "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)
        else:
            migrations.AddIndex.database_backwards(self, app_label, schema_editor, from_state, to_state)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("reports", "0003_files_by_digest"),
    ]

    operations = [
        AddIndexBesideWriters("thumbnail", models.Index(fields=["key"], name="thumbnail_key")),
        AddIndexBesideWriters("reportfile", models.Index(fields=["file"], name="file_key")),
    ]
