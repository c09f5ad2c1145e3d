"""What a task is about has a neutral name. The column keeps its own, so the database has nothing to do."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("executions", "0005_list_indexes")]
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveIndex("taskrecord", "task_report"),
                migrations.RenameField("taskrecord", "report_id", "subject_id"),
                migrations.AlterField(
                    "taskrecord",
                    "subject_id",
                    models.BigIntegerField(blank=True, db_column="report_id", null=True, verbose_name="subject"),
                ),
                migrations.AddIndex(
                    "taskrecord",
                    models.Index(
                        condition=models.Q(("subject_id__isnull", False)), fields=["subject_id"], name="task_report"
                    ),
                ),
            ]
        )
    ]
