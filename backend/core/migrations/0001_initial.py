"""The first tables of core."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import core.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("prefix", models.CharField(db_index=True, editable=False, max_length=12, verbose_name="prefix")),
                ("key_hash", models.CharField(editable=False, max_length=64, unique=True, verbose_name="digest")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created at")),
                (
                    "last_used_at",
                    models.DateTimeField(blank=True, editable=False, null=True, verbose_name="last used at"),
                ),
            ],
            options={
                "verbose_name": "API key",
                "verbose_name_plural": "API keys",
                "ordering": ["name", "id"],
            },
        ),
        migrations.CreateModel(
            name="Client",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                ("phone", models.CharField(blank=True, max_length=32, verbose_name="phone")),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="client",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={
                "verbose_name": "client",
                "verbose_name_plural": "clients",
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="Guard",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                ("phone", models.CharField(blank=True, max_length=32, verbose_name="phone")),
                ("address", models.CharField(blank=True, max_length=255, verbose_name="address")),
                ("is_armed", models.BooleanField(default=False, verbose_name="armed")),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="guard",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={
                "verbose_name": "guard",
                "verbose_name_plural": "guards",
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="Profile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "language",
                    models.CharField(
                        choices=[("en", "English"), ("es", "Spanish")],
                        default="en",
                        max_length=10,
                        verbose_name="language",
                    ),
                ),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="profile",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={
                "verbose_name": "profile",
                "verbose_name_plural": "profiles",
            },
        ),
        migrations.CreateModel(
            name="Property",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                ("alias", models.CharField(blank=True, max_length=60, verbose_name="alias")),
                ("address", models.CharField(max_length=255, verbose_name="address")),
                (
                    "time_zone",
                    models.CharField(
                        blank=True,
                        help_text="Empty: the time zone of the installation.",
                        max_length=64,
                        validators=[core.models.check_time_zone],
                        verbose_name="time zone",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="properties",
                        to="core.client",
                        verbose_name="owner",
                    ),
                ),
            ],
            options={
                "verbose_name": "property",
                "verbose_name_plural": "properties",
                "ordering": ["name", "id"],
            },
        ),
        migrations.CreateModel(
            name="PropertySupervisor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField(default=0, verbose_name="position")),
                (
                    "property",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="supervisor_links",
                        to="core.property",
                        verbose_name="property",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="supervisor_links",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="supervisor",
                    ),
                ),
            ],
            options={
                "verbose_name": "supervisor",
                "verbose_name_plural": "supervisors",
                "ordering": ["position", "id"],
            },
        ),
        migrations.AddField(
            model_name="property",
            name="supervisors",
            field=models.ManyToManyField(
                related_name="supervised_properties",
                through="core.PropertySupervisor",
                to=settings.AUTH_USER_MODEL,
                verbose_name="supervisors",
            ),
        ),
        migrations.CreateModel(
            name="Shift",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                ("planned_start", models.DateTimeField(verbose_name="planned start")),
                ("planned_end", models.DateTimeField(verbose_name="planned end")),
                ("actual_start", models.DateTimeField(blank=True, null=True, verbose_name="actual start")),
                ("actual_end", models.DateTimeField(blank=True, null=True, verbose_name="actual end")),
                (
                    "status",
                    models.CharField(
                        choices=[("scheduled", "Scheduled"), ("completed", "Completed"), ("voided", "Voided")],
                        default="scheduled",
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                (
                    "guard",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="shifts",
                        to="core.guard",
                        verbose_name="guard",
                    ),
                ),
                (
                    "property",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="shifts",
                        to="core.property",
                        verbose_name="property",
                    ),
                ),
            ],
            options={
                "verbose_name": "shift",
                "verbose_name_plural": "shifts",
                "ordering": ["-planned_start", "-id"],
            },
        ),
        migrations.AddConstraint(
            model_name="propertysupervisor",
            constraint=models.UniqueConstraint(fields=("property", "user"), name="one_link_per_supervisor"),
        ),
        migrations.AddIndex(
            model_name="shift",
            index=models.Index(fields=["guard", "planned_start"], name="shift_guard_start"),
        ),
        migrations.AddConstraint(
            model_name="shift",
            constraint=models.CheckConstraint(
                condition=models.Q(("planned_end__gt", models.F("planned_start"))),
                name="shift_ends_after_it_starts",
                violation_error_message="The planned end must be later than the planned start.",
            ),
        ),
        migrations.AddConstraint(
            model_name="shift",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("actual_end__isnull", True),
                    models.Q(("actual_end__gte", models.F("actual_start")), ("actual_start__isnull", False)),
                    _connector="OR",
                ),
                name="shift_ended_after_it_started",
                violation_error_message="The actual end needs an actual start, and must not be earlier.",
            ),
        ),
    ]
