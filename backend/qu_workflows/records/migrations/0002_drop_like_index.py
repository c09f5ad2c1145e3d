"""Drops the index that Django adds to a text key for LIKE: no query needs it."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("executions", "0001_squashed_0005_list_indexes")]

    operations = [
        migrations.RunSQL(
            'DROP INDEX IF EXISTS "executions_taskrecord_id_caaff2e7_like"',
            migrations.RunSQL.noop,
        ),
    ]
