"""Staff may be limited to participants: who is not, and which participants an audit entry is about."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("participants", "0001_initial")]

    operations = [
        migrations.AlterModelOptions(
            name="participant",
            options={
                "ordering": ["role", "domain"],
                "permissions": [("for_every_participant", "Can look and act for every participant")],
            },
        ),
        migrations.AddField(
            model_name="auditentry",
            name="participants",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(), default=list, editable=False, size=None
            ),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=django.contrib.postgres.indexes.GinIndex(
                fields=["participants"], name="audit_participants", fastupdate=False
            ),
        ),
    ]
