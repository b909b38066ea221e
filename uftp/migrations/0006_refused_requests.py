"""Say refused request for what the endpoint refused, also in labels of permissions, and use plainer help texts."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models


def rename_permissions(apps: Any, old: str, new: str) -> None:
    """Rename the labels of stored permissions: Django does not when a verbose name changes."""
    permissions = apps.get_model("auth", "Permission").objects
    for permission in permissions.filter(content_type__app_label="uftp", content_type__model="refusal"):
        permission.name = permission.name.replace(old, new)
        permission.save(update_fields=["name"])


def forwards(apps: Any, schema_editor: Any) -> None:
    rename_permissions(apps, "refusal at the door", "refused request")


def backwards(apps: Any, schema_editor: Any) -> None:
    rename_permissions(apps, "refused request", "refusal at the door")


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("uftp", "0001_squashed_0005_passing_on"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="refusal",
            options={
                "ordering": ["-id"],
                "verbose_name": "refused request",
                "verbose_name_plural": "refused requests",
            },
        ),
        migrations.AlterField(
            model_name="inboundmessage",
            name="holds_message_id",
            field=models.BooleanField(
                db_default=False,
                help_text="Whether it was handled first of those with its MessageID; the others are duplicates",
            ),
        ),
        migrations.AlterField(
            model_name="inboundmessage",
            name="setbacks",
            field=models.PositiveSmallIntegerField(
                db_default=0, help_text="Minutes of lost races or database errors, in a row"
            ),
        ),
        migrations.AlterField(
            model_name="outboundmessage",
            name="claimed_until",
            field=models.DateTimeField(
                blank=True,
                help_text="End of a worker's lease; from this moment another worker may post it",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="outboundmessage",
            name="claims",
            field=models.PositiveIntegerField(
                db_default=0, help_text="How often workers have leased it; the number of the latest lease"
            ),
        ),
        migrations.AlterField(
            model_name="outboundmessage",
            name="not_before",
            field=models.DateTimeField(
                blank=True, help_text="If it is passed on: its recipient asked to wait until then", null=True
            ),
        ),
        migrations.AlterField(
            model_name="outboundmessage",
            name="sealed_by",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                help_text="Who signed it, if it is passed on",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="uftp.sender",
            ),
        ),
        migrations.AlterField(
            model_name="refusal",
            name="address",
            field=models.CharField(blank=True, help_text="Address that the request came from", max_length=45),
        ),
        migrations.AlterField(
            model_name="refusal",
            name="content",
            field=models.BinaryField(
                help_text="Beginning of the inner XML, if the signature is verified", null=True
            ),
        ),
        migrations.AlterField(
            model_name="refusal",
            name="content_size",
            field=models.PositiveBigIntegerField(help_text="Bytes of the whole inner XML", null=True),
        ),
        migrations.AlterField(
            model_name="refusal",
            name="status",
            field=models.PositiveSmallIntegerField(help_text="HTTP status of the answer"),
        ),
        migrations.RunPython(forwards, backwards),
    ]
