"""The tables of guard reports. A database that has the migrations that it replaces is left as it is."""

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import reports.models


class Migration(migrations.Migration):
    replaces = [
        ("reports", "0001_initial"),
        ("reports", "0002_incidents_and_holds"),
        ("reports", "0003_files_by_digest"),
        ("reports", "0004_objects_by_key"),
        ("reports", "0005_facts_of_any_file"),
        ("reports", "0006_thumbnails_by_type"),
    ]

    initial = True

    dependencies = [
        ("core", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="GuardReport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                ("note", models.TextField(blank=True, verbose_name="note")),
                (
                    "report_datetime",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="time of the report"),
                ),
                (
                    "latitude",
                    models.DecimalField(
                        blank=True,
                        decimal_places=6,
                        max_digits=9,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(-90),
                            django.core.validators.MaxValueValidator(90),
                        ],
                        verbose_name="latitude",
                    ),
                ),
                (
                    "longitude",
                    models.DecimalField(
                        blank=True,
                        decimal_places=6,
                        max_digits=9,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(-180),
                            django.core.validators.MaxValueValidator(180),
                        ],
                        verbose_name="longitude",
                    ),
                ),
                (
                    "is_incident",
                    models.BooleanField(
                        db_default=False,
                        default=False,
                        help_text="Supervisors are asked in turn to acknowledge it.",
                        verbose_name="incident",
                    ),
                ),
                (
                    "acknowledged_at",
                    models.DateTimeField(blank=True, editable=False, null=True, verbose_name="acknowledged at"),
                ),
                (
                    "evidence_hold",
                    models.BooleanField(
                        db_default=False,
                        default=False,
                        help_text="The report is kept until the hold is lifted.",
                        verbose_name="evidence hold",
                    ),
                ),
                (
                    "evidence_hold_reason",
                    models.CharField(
                        blank=True, db_default="", default="", max_length=200, verbose_name="reason of the hold"
                    ),
                ),
                (
                    "processed_at",
                    models.DateTimeField(blank=True, editable=False, null=True, verbose_name="processed at"),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created at")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="updated at")),
                (
                    "acknowledged_by",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="acknowledged_reports",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="acknowledged by",
                    ),
                ),
                (
                    "guard",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reports",
                        to="core.guard",
                        verbose_name="guard",
                    ),
                ),
                (
                    "property",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reports",
                        to="core.property",
                        verbose_name="property",
                    ),
                ),
                (
                    "shift",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="reports",
                        to="core.shift",
                        verbose_name="shift",
                    ),
                ),
            ],
            options={
                "verbose_name": "guard report",
                "verbose_name_plural": "guard reports",
                "ordering": ["-report_datetime", "-id"],
            },
        ),
        migrations.CreateModel(
            name="IncidentInquiry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("task_id", models.CharField(max_length=80, verbose_name="task")),
                ("turn", models.PositiveSmallIntegerField(verbose_name="turn")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("asked", "Asked"),
                            ("acknowledged", "Acknowledged"),
                            ("unanswered", "Not answered in time"),
                            ("unreachable", "Unreachable by mail"),
                        ],
                        default="asked",
                        max_length=12,
                        verbose_name="status",
                    ),
                ),
                ("asked_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="asked at")),
                ("sign_by", models.DateTimeField(verbose_name="answer or heartbeat by")),
                ("answer_by", models.DateTimeField(verbose_name="answer by")),
                ("seen_at", models.DateTimeField(blank=True, null=True, verbose_name="last heartbeat")),
                ("acknowledged_at", models.DateTimeField(blank=True, null=True, verbose_name="acknowledged at")),
                ("task_token", models.TextField(blank=True, editable=False, verbose_name="task token")),
                (
                    "report",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="inquiries",
                        to="reports.guardreport",
                        verbose_name="report",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="inquiries",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "inquiry",
                "verbose_name_plural": "inquiries",
                "ordering": ["report_id", "task_id", "turn"],
            },
        ),
        migrations.CreateModel(
            name="ReportFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField(default=0, verbose_name="position")),
                ("file", models.FileField(max_length=255, upload_to=reports.models.stored_name, verbose_name="file")),
                ("name", models.CharField(max_length=150, verbose_name="name")),
                (
                    "status",
                    models.CharField(
                        choices=[("pending", "Pending"), ("accepted", "Accepted"), ("rejected", "Refused")],
                        default="pending",
                        max_length=8,
                        verbose_name="status",
                    ),
                ),
                ("error", models.CharField(blank=True, max_length=80, verbose_name="error")),
                ("reason", models.CharField(blank=True, max_length=500, verbose_name="reason")),
                ("kind", models.CharField(blank=True, max_length=16, verbose_name="kind")),
                ("media_type", models.CharField(blank=True, max_length=127, verbose_name="media type")),
                ("size_bytes", models.PositiveBigIntegerField(verbose_name="size in bytes")),
                ("sha256", models.CharField(blank=True, max_length=64, verbose_name="SHA-256")),
                ("width", models.PositiveIntegerField(blank=True, null=True, verbose_name="width in pixels")),
                ("height", models.PositiveIntegerField(blank=True, null=True, verbose_name="height in pixels")),
                ("frames", models.IntegerField(blank=True, null=True, verbose_name="frames")),
                ("pages", models.PositiveIntegerField(blank=True, null=True, verbose_name="pages")),
                ("duration_seconds", models.FloatField(blank=True, null=True, verbose_name="duration in seconds")),
                ("captured_at", models.DateTimeField(blank=True, null=True, verbose_name="taken at")),
                (
                    "capture_zone_assumed",
                    models.BooleanField(
                        db_default=False,
                        default=False,
                        help_text="The camera's time has no zone: that of the property is assumed.",
                        verbose_name="time zone assumed",
                    ),
                ),
                (
                    "camera",
                    models.CharField(blank=True, db_default="", default="", max_length=120, verbose_name="camera"),
                ),
                ("latitude", models.FloatField(blank=True, null=True, verbose_name="latitude")),
                ("longitude", models.FloatField(blank=True, null=True, verbose_name="longitude")),
                (
                    "thumbnails_reason",
                    models.CharField(
                        blank=True, db_default="", default="", max_length=500, verbose_name="why there is no thumbnail"
                    ),
                ),
                (
                    "report",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="files",
                        to="reports.guardreport",
                        verbose_name="report",
                    ),
                ),
            ],
            options={
                "verbose_name": "report file",
                "verbose_name_plural": "report files",
                "ordering": ["report_id", "position"],
            },
        ),
        migrations.CreateModel(
            name="Thumbnail",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("size", models.CharField(max_length=16, verbose_name="size")),
                ("key", models.CharField(max_length=255, verbose_name="key")),
                ("media_type", models.CharField(max_length=127, verbose_name="media type")),
                ("width", models.PositiveIntegerField(verbose_name="width in pixels")),
                ("height", models.PositiveIntegerField(verbose_name="height in pixels")),
                ("size_bytes", models.PositiveBigIntegerField(verbose_name="size in bytes")),
                (
                    "report_file",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="thumbnails",
                        to="reports.reportfile",
                        verbose_name="report file",
                    ),
                ),
            ],
            options={
                "verbose_name": "thumbnail",
                "verbose_name_plural": "thumbnails",
                "ordering": ["report_file_id", "width", "id"],
            },
        ),
        migrations.AddIndex(
            model_name="guardreport",
            index=models.Index(fields=["guard", "-report_datetime"], name="report_guard_time"),
        ),
        migrations.AddIndex(
            model_name="guardreport",
            index=models.Index(fields=["-report_datetime", "-id"], name="report_time"),
        ),
        migrations.AddConstraint(
            model_name="guardreport",
            constraint=models.CheckConstraint(
                condition=models.Q(("latitude__range", (-90, 90))), name="report_latitude_on_earth"
            ),
        ),
        migrations.AddConstraint(
            model_name="guardreport",
            constraint=models.CheckConstraint(
                condition=models.Q(("longitude__range", (-180, 180))), name="report_longitude_on_earth"
            ),
        ),
        migrations.AddConstraint(
            model_name="incidentinquiry",
            constraint=models.UniqueConstraint(fields=("task_id", "turn"), name="one_inquiry_per_turn"),
        ),
        migrations.AddIndex(
            model_name="reportfile",
            index=models.Index(
                condition=models.Q(("sha256", ""), _negated=True), fields=["sha256"], name="file_sha256"
            ),
        ),
        migrations.AddIndex(
            model_name="reportfile",
            index=models.Index(fields=["file"], name="file_key"),
        ),
        migrations.AddConstraint(
            model_name="reportfile",
            constraint=models.UniqueConstraint(fields=("report", "position"), name="one_file_per_position"),
        ),
        migrations.AddIndex(
            model_name="thumbnail",
            index=models.Index(fields=["key"], name="thumbnail_key"),
        ),
        migrations.AddConstraint(
            model_name="thumbnail",
            constraint=models.UniqueConstraint(
                fields=("report_file", "size", "media_type"), name="one_thumbnail_per_type"
            ),
        ),
    ]
