"""The indexes of the console's list. On PostgreSQL they are built while tasks go on being written."""

from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.migrations.operations import AddIndex


class AddIndexBesideWriters(AddIndexConcurrently):
    """AddIndexConcurrently that can be run again after it was broken off, and does without on other databases."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            AddIndex.database_forwards(self, app_label, schema_editor, from_state, to_state)
            return
        # Broken off, it leaves an index that is invalid and has the name.
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(self.index.name)}")
        super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            AddIndex.database_backwards(self, app_label, schema_editor, from_state, to_state)
            return
        super().database_backwards(app_label, schema_editor, from_state, to_state)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("executions", "0004_console")]
    operations = [
        AddIndexBesideWriters(
            "taskrecord",
            models.Index(fields=["workflow", "enqueued_at", "id"], name="task_workflow_enqueued"),
        ),
        AddIndexBesideWriters(
            "taskrecord",
            models.Index(
                condition=models.Q(("schedule", ""), models.Q(("status", "SUCCEEDED"), _negated=True), _connector="OR"),
                fields=["enqueued_at", "id"],
                name="task_listed",
            ),
        ),
    ]
