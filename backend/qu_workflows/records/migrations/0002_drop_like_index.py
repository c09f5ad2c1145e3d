"""Drops the index that Django adds to a text key for LIKE: nothing looks for ids by their beginning."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("executions", "0001_initial")]

    operations = [
        migrations.RunSQL(
            'DROP INDEX IF EXISTS "executions_taskrecord_id_caaff2e7_like"',
            migrations.RunSQL.noop,
        ),
    ]
