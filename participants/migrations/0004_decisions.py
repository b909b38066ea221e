"""Decisions are found by who, what and when."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("participants", "0003_keys_without_a_beginning")]

    operations = [
        migrations.AlterModelOptions(
            name="auditentry", options={"ordering": ["-id"], "verbose_name": "decision"}
        ),
        migrations.AddIndex(
            model_name="auditentry", index=models.Index(fields=["actor", "-id"], name="audit_actor")
        ),
        migrations.AddIndex(
            model_name="auditentry", index=models.Index(fields=["action", "-id"], name="audit_action")
        ),
        migrations.AddIndex(
            model_name="auditentry", index=models.Index(fields=["moment"], name="audit_moment")
        ),
    ]
