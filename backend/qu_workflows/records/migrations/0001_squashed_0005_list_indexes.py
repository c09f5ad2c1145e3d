"""The tables of the platform. A database that has the migrations that it replaces is left as it is."""

import django.db.models.deletion
import django.utils.timezone
import uuid6
from django.db import migrations, models

import qu_workflows.records.models


class Migration(migrations.Migration):
    replaces = [
        ("executions", "0001_initial"),
        ("executions", "0003_operations"),
        ("executions", "0004_console"),
        ("executions", "0005_list_indexes"),
    ]

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="TaskRecord",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=qu_workflows.records.models.new_task_id,
                        editable=False,
                        max_length=80,
                        primary_key=True,
                        serialize=False,
                        verbose_name="id",
                    ),
                ),
                ("task", models.CharField(max_length=255, verbose_name="task")),
                ("workflow", models.CharField(max_length=80, verbose_name="workflow")),
                ("payload", models.JSONField(default=dict, verbose_name="payload")),
                ("payload_key", models.CharField(blank=True, max_length=120, verbose_name="payload key")),
                (
                    "positional_count",
                    models.PositiveSmallIntegerField(default=0, verbose_name="arguments given by position"),
                ),
                (
                    "subject_id",
                    models.BigIntegerField(blank=True, db_column="report_id", null=True, verbose_name="subject"),
                ),
                (
                    "schedule",
                    models.CharField(blank=True, db_default="", default="", max_length=40, verbose_name="schedule"),
                ),
                (
                    "attempt_of",
                    models.CharField(blank=True, db_default="", default="", max_length=80, verbose_name="attempt of"),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("READY", "Recorded, not sent"),
                            ("SENT", "Sent"),
                            ("RUNNING", "Running"),
                            ("SUCCEEDED", "Succeeded"),
                            ("FAILED", "Failed"),
                            ("TIMED_OUT", "Timed out"),
                            ("ABORTED", "Aborted"),
                        ],
                        default="READY",
                        max_length=16,
                        verbose_name="status",
                    ),
                ),
                ("backend", models.CharField(default="default", max_length=64, verbose_name="task backend")),
                ("queue_name", models.CharField(default="default", max_length=64, verbose_name="queue")),
                ("message_group_id", models.CharField(blank=True, max_length=128, verbose_name="message group")),
                ("run_after", models.DateTimeField(blank=True, null=True, verbose_name="run after")),
                ("delay_seconds", models.PositiveSmallIntegerField(default=0, verbose_name="delay in seconds")),
                ("enqueued_at", models.DateTimeField(verbose_name="enqueued at")),
                (
                    "send_attempts",
                    models.PositiveIntegerField(db_default=0, default=0, verbose_name="attempts to send"),
                ),
                (
                    "last_send_error",
                    models.TextField(blank=True, db_default="", default="", verbose_name="last error in sending"),
                ),
                ("sent_at", models.DateTimeField(blank=True, null=True, verbose_name="sent at")),
                ("started_at", models.DateTimeField(blank=True, null=True, verbose_name="started at")),
                ("last_attempted_at", models.DateTimeField(blank=True, null=True, verbose_name="last attempted at")),
                ("finished_at", models.DateTimeField(blank=True, null=True, verbose_name="finished at")),
                (
                    "execution_arn",
                    models.CharField(
                        blank=True, db_default="", default="", max_length=300, verbose_name="execution ARN"
                    ),
                ),
                (
                    "state_machine_version_arn",
                    models.CharField(
                        blank=True, db_default="", default="", max_length=300, verbose_name="state machine version ARN"
                    ),
                ),
                ("redrive_count", models.PositiveIntegerField(db_default=0, default=0, verbose_name="redrives")),
                (
                    "ran_inline",
                    models.BooleanField(db_default=False, default=False, verbose_name="run in the web process"),
                ),
                (
                    "worker_ids",
                    models.JSONField(
                        blank=True,
                        db_default=models.Value([], models.JSONField()),
                        default=list,
                        verbose_name="workers, one per attempt",
                    ),
                ),
                ("returned_at", models.DateTimeField(blank=True, null=True, verbose_name="function returned at")),
                ("result", models.JSONField(blank=True, null=True, verbose_name="result")),
                (
                    "error",
                    models.CharField(blank=True, db_default="", default="", max_length=256, verbose_name="error"),
                ),
                ("cause", models.TextField(blank=True, db_default="", default="", verbose_name="cause")),
                (
                    "errors",
                    models.JSONField(
                        blank=True,
                        db_default=models.Value([], models.JSONField()),
                        default=list,
                        verbose_name="errors, one per failed attempt",
                    ),
                ),
            ],
            options={
                "verbose_name": "task",
                "verbose_name_plural": "tasks",
                "ordering": ["-enqueued_at", "-id"],
                "permissions": [
                    ("view_console", "Can see the console"),
                    ("redrive_execution", "Can redrive and restart executions, and redrive dead letters"),
                    ("stop_execution", "Can stop executions"),
                    ("purge_dead_letter", "Can purge dead letters"),
                    ("change_schedule", "Can pause, resume and run schedules"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Alert",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("opened_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="opened at")),
                ("told_at", models.DateTimeField(blank=True, null=True, verbose_name="last told at")),
                ("closed_at", models.DateTimeField(blank=True, null=True, verbose_name="closed at")),
                ("findings", models.JSONField(default=dict, verbose_name="findings")),
            ],
            options={
                "verbose_name": "alert",
                "verbose_name_plural": "alerts",
                "ordering": ["-opened_at", "-id"],
                "constraints": [
                    models.UniqueConstraint(
                        models.Value(1), condition=models.Q(("closed_at__isnull", True)), name="one_open_alert"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="at")),
                ("actor", models.CharField(max_length=150, verbose_name="actor")),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("redrive_execution", "Redrive execution"),
                            ("stop_execution", "Stop execution"),
                            ("restart_execution", "Restart execution"),
                            ("redrive_dead_letters", "Redrive dead letters"),
                            ("purge_dead_letters", "Purge dead letters"),
                            ("pause_schedule", "Pause schedule"),
                            ("resume_schedule", "Resume schedule"),
                            ("run_schedule", "Run schedule now"),
                        ],
                        max_length=32,
                        verbose_name="action",
                    ),
                ),
                ("target", models.CharField(max_length=256, verbose_name="target")),
                ("batch", models.UUIDField(default=uuid6.uuid7, verbose_name="batch")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("started", "Started"),
                            ("done", "Done"),
                            ("refused", "Refused"),
                            ("failed", "Failed"),
                        ],
                        default="started",
                        max_length=8,
                        verbose_name="outcome",
                    ),
                ),
                ("message", models.TextField(blank=True, verbose_name="message")),
                ("details", models.JSONField(blank=True, default=dict, verbose_name="details")),
            ],
            options={
                "verbose_name": "audit entry",
                "verbose_name_plural": "audit entries",
                "ordering": ["-at", "-id"],
                "indexes": [
                    models.Index(fields=["at", "id"], name="audit_at"),
                    models.Index(fields=["target", "at"], name="audit_target"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ExecutionSample",
            fields=[
                (
                    "record",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="sample",
                        serialize=False,
                        to="executions.taskrecord",
                        verbose_name="task",
                    ),
                ),
                ("workflow", models.CharField(max_length=80, verbose_name="workflow")),
                ("finished_at", models.DateTimeField(verbose_name="finished at")),
                ("redrive_count", models.PositiveIntegerField(default=0, verbose_name="redrives")),
                ("visits", models.JSONField(default=list, verbose_name="visits")),
                ("edges", models.JSONField(default=dict, verbose_name="edges")),
            ],
            options={
                "verbose_name": "sample of a history",
                "verbose_name_plural": "samples of histories",
                "ordering": ["-finished_at"],
            },
        ),
        migrations.AddIndex(
            model_name="taskrecord",
            index=models.Index(fields=["enqueued_at", "id"], name="task_enqueued"),
        ),
        migrations.AddIndex(
            model_name="taskrecord",
            index=models.Index(fields=["status", "enqueued_at", "id"], name="task_status_enqueued"),
        ),
        migrations.AddIndex(
            model_name="taskrecord",
            index=models.Index(fields=["task", "enqueued_at", "id"], name="task_task_enqueued"),
        ),
        migrations.AddIndex(
            model_name="taskrecord",
            index=models.Index(fields=["workflow", "enqueued_at", "id"], name="task_workflow_enqueued"),
        ),
        migrations.AddIndex(
            model_name="taskrecord",
            index=models.Index(
                condition=models.Q(("schedule", ""), models.Q(("status", "SUCCEEDED"), _negated=True), _connector="OR"),
                fields=["enqueued_at", "id"],
                name="task_listed",
            ),
        ),
        migrations.AddIndex(
            model_name="taskrecord",
            index=models.Index(
                condition=models.Q(("subject_id__isnull", False)), fields=["subject_id"], name="task_report"
            ),
        ),
        migrations.AddIndex(
            model_name="taskrecord",
            index=models.Index(
                condition=models.Q(("error", ""), _negated=True), fields=["error", "enqueued_at"], name="task_error"
            ),
        ),
        migrations.AddIndex(
            model_name="taskrecord",
            index=models.Index(
                condition=models.Q(("schedule", ""), _negated=True),
                fields=["schedule", "enqueued_at"],
                name="task_schedule",
            ),
        ),
        migrations.AddIndex(
            model_name="taskrecord",
            index=models.Index(
                condition=models.Q(("attempt_of", ""), _negated=True), fields=["attempt_of"], name="task_attempt_of"
            ),
        ),
        migrations.AddIndex(
            model_name="executionsample",
            index=models.Index(fields=["workflow", "-finished_at"], name="sample_workflow_finished"),
        ),
    ]
