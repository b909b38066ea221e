"""Name an audit entry so, also in the labels of permissions."""

from typing import Any

from django.db import migrations


def rename_permissions(apps: Any, old: str, new: str) -> None:
    """Rename the labels of stored permissions: Django does not when a verbose name changes."""
    permissions = apps.get_model("auth", "Permission").objects
    for permission in permissions.filter(
        content_type__app_label="participants", content_type__model="auditentry"
    ):
        permission.name = permission.name.replace(old, new)
        permission.save(update_fields=["name"])


def forwards(apps: Any, schema_editor: Any) -> None:
    rename_permissions(apps, "decision", "audit entry")


def backwards(apps: Any, schema_editor: Any) -> None:
    rename_permissions(apps, "audit entry", "decision")


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("participants", "0008_objects_of_audit_entries"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="auditentry",
            options={
                "ordering": ["-id"],
                "verbose_name": "audit entry",
                "verbose_name_plural": "audit entries",
            },
        ),
        migrations.RunPython(forwards, backwards),
    ]
