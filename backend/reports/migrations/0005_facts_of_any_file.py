"""Adds what is known of videos, sounds and photos.

Nullable or with a default of the database: no table is rewritten or read, and code of before goes on writing.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reports", "0004_objects_by_key"),
    ]

    operations = [
        migrations.AddField(
            model_name="reportfile",
            name="frames",
            field=models.IntegerField(blank=True, null=True, verbose_name="frames"),
        ),
        migrations.AddField(
            model_name="reportfile",
            name="duration_seconds",
            field=models.FloatField(blank=True, null=True, verbose_name="duration in seconds"),
        ),
        migrations.AddField(
            model_name="reportfile",
            name="captured_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="taken at"),
        ),
        migrations.AddField(
            model_name="reportfile",
            name="capture_zone_assumed",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="The camera told its own local time: it is taken for that of the property.",
                verbose_name="time zone assumed",
            ),
        ),
        migrations.AddField(
            model_name="reportfile",
            name="camera",
            field=models.CharField(blank=True, db_default="", default="", max_length=120, verbose_name="camera"),
        ),
        migrations.AddField(
            model_name="reportfile",
            name="latitude",
            field=models.FloatField(blank=True, null=True, verbose_name="latitude"),
        ),
        migrations.AddField(
            model_name="reportfile",
            name="longitude",
            field=models.FloatField(blank=True, null=True, verbose_name="longitude"),
        ),
        migrations.AddField(
            model_name="reportfile",
            name="thumbnails_reason",
            field=models.CharField(
                blank=True, db_default="", default="", max_length=500, verbose_name="why there is no thumbnail"
            ),
        ),
    ]
