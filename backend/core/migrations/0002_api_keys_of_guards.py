"""A key belongs to a guard; those of before, without one, need API_KEYS_FOR_ALL_GUARDS."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="guard",
            field=models.ForeignKey(
                blank=True,
                help_text="Empty: for all guards, which API_KEYS_FOR_ALL_GUARDS must allow.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="api_keys",
                to="core.guard",
                verbose_name="guard",
            ),
        ),
    ]
