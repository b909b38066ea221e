"""An audit entry names the object that it is about by its content type and primary key."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("contenttypes", "0002_remove_content_type_name"),
        ("participants", "0001_squashed_0006_see_or_act"),
    ]

    operations = [
        migrations.AddField(
            model_name="auditentry",
            name="content_type",
            field=models.ForeignKey(
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="contenttypes.contenttype",
            ),
        ),
        migrations.AddField(
            model_name="auditentry",
            name="object_pk",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=40),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["content_type", "object_pk", "-id"], name="audit_object"),
        ),
        migrations.AddConstraint(
            model_name="auditentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("content_type__isnull", True), ("object_pk", "")),
                    models.Q(("content_type__isnull", False), models.Q(("object_pk", ""), _negated=True)),
                    _connector="OR",
                ),
                name="audit_object_is_whole",
            ),
        ),
    ]
