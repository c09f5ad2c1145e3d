"""The first tables of reports."""

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import reports.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("core", "0001_initial"),
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
                    "processed_at",
                    models.DateTimeField(blank=True, editable=False, null=True, verbose_name="processed at"),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created at")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="updated at")),
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
                ("pages", models.PositiveIntegerField(blank=True, null=True, verbose_name="pages")),
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
            model_name="reportfile",
            constraint=models.UniqueConstraint(fields=("report", "position"), name="one_file_per_position"),
        ),
        migrations.AddConstraint(
            model_name="thumbnail",
            constraint=models.UniqueConstraint(fields=("report_file", "size"), name="one_thumbnail_per_size"),
        ),
    ]
