"""Renames a field in the models alone: the table keeps its column."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("executions", "0003_rename_sample_visits")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameField("alert", "told_at", "mailed_at"),
                migrations.AlterField(
                    "alert",
                    "mailed_at",
                    models.DateTimeField(blank=True, db_column="told_at", null=True, verbose_name="last mailed at"),
                ),
            ]
        )
    ]
