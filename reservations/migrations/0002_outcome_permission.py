"""Rename the permission to settle reservation updates: staff record the outcome of an update."""

from typing import Any

from django.db import migrations

OLD = {"codename": "settle_update", "name": "Can settle reservation updates"}
NEW = {"codename": "record_outcome", "name": "Can record the outcome of reservation updates"}


def rename_permission(apps: Any, old: dict[str, str], new: dict[str, str]) -> None:
    """Rename the stored permission in place, so that groups and users keep it."""
    apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label="reservations",
        content_type__model="reservationupdate",
        codename=old["codename"],
    ).update(**new)


def forwards(apps: Any, schema_editor: Any) -> None:
    rename_permission(apps, OLD, NEW)


def backwards(apps: Any, schema_editor: Any) -> None:
    rename_permission(apps, NEW, OLD)


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("reservations", "0001_initial"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="reservationupdate",
            options={
                "ordering": ["-id"],
                "permissions": [("record_outcome", "Can record the outcome of reservation updates")],
            },
        ),
        migrations.RunPython(forwards, backwards),
    ]
