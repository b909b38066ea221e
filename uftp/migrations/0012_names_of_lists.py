"""Name messages and paused recipients as the screens do, also in labels of permissions."""

from typing import Any

from django.db import migrations

NAMES = {
    "inboundmessage": ("inbound message", "received message"),
    "outboundmessage": ("outbound message", "sent message"),
    "circuitbreaker": ("circuit breaker", "paused recipient"),
}


def rename_permissions(apps: Any, model: str, old: str, new: str) -> None:
    """Rename the labels of stored permissions: Django does not when a verbose name changes."""
    permissions = apps.get_model("auth", "Permission").objects
    for permission in permissions.filter(content_type__app_label="uftp", content_type__model=model):
        permission.name = permission.name.replace(old, new)
        permission.save(update_fields=["name"])


def forwards(apps: Any, schema_editor: Any) -> None:
    for model, (old, new) in NAMES.items():
        rename_permissions(apps, model, old, new)


def backwards(apps: Any, schema_editor: Any) -> None:
    for model, (old, new) in NAMES.items():
        rename_permissions(apps, model, new, old)


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("uftp", "0011_search_places"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="inboundmessage",
            options={"ordering": ["-id"], "verbose_name": "received message"},
        ),
        migrations.AlterModelOptions(
            name="outboundmessage",
            options={"ordering": ["-id"], "verbose_name": "sent message"},
        ),
        migrations.AlterModelOptions(
            name="circuitbreaker",
            options={"ordering": ["-id"], "verbose_name": "paused recipient"},
        ),
        migrations.RunPython(forwards, backwards),
    ]
