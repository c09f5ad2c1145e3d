"""Lets each size of a thumbnail be there once per media type. Built while reports come in: no lock is held for long.

By itself, since an index is built beside writers only outside of a transaction. One that was broken off is migrated
again as it is: what was left of the index goes first.
https://www.postgresql.org/docs/current/sql-altertable.html (ADD table_constraint_using_index)
"""

from typing import Any

from django.db import migrations, models

NAME = "one_thumbnail_per_type"


class AddUniqueBesideWriters(migrations.AddConstraint):
    """AddConstraint by an index that is built first; SQLite, for a first look, has one writer at a time anyway."""

    atomic = False

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Build the index, then make it the constraint's."""
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        schema_editor.execute(f"ALTER TABLE reports_thumbnail DROP CONSTRAINT IF EXISTS {NAME}")
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}")
        schema_editor.execute(
            f"CREATE UNIQUE INDEX CONCURRENTLY {NAME} ON reports_thumbnail (report_file_id, size, media_type)"
        )
        schema_editor.execute(f"ALTER TABLE reports_thumbnail ADD CONSTRAINT {NAME} UNIQUE USING INDEX {NAME}")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("reports", "0005_facts_of_any_file"),
    ]

    operations = [
        AddUniqueBesideWriters(
            "thumbnail", models.UniqueConstraint(fields=("report_file", "size", "media_type"), name=NAME)
        ),
        # Last: what comes before can be done again, and until then nothing but what was is allowed.
        migrations.RemoveConstraint("thumbnail", "one_thumbnail_per_size"),
    ]
