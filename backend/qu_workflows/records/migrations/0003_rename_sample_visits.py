"""Renames a field in the models alone: the table keeps its column."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("executions", "0002_drop_like_index")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameField("executionsample", "visits", "entries"),
                migrations.AlterField(
                    "executionsample",
                    "entries",
                    models.JSONField(db_column="visits", default=list, verbose_name="state entries"),
                ),
            ]
        )
    ]
