"""To look at every participant and to act for every participant are two permissions."""

from typing import Any

from django.db import migrations


def keep(apps: Any, schema_editor: Any) -> None:
    """Who was unlimited still is; the groups that every CRO has are reset after each migrate."""
    rename(apps, "for_every_participant", "act_for_every_participant")


def give_back(apps: Any, schema_editor: Any) -> None:
    rename(apps, "act_for_every_participant", "for_every_participant")


def rename(apps: Any, before: str, after: str) -> None:
    permissions = apps.get_model("auth", "Permission").objects
    permissions.filter(content_type__app_label="participants", codename=before).update(codename=after)


class Migration(migrations.Migration):
    dependencies = [
        ("participants", "0005_changes_of_decisions"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="participant",
            options={
                "ordering": ["role", "domain"],
                "permissions": [
                    ("see_every_participant", "Can look at every participant"),
                    ("act_for_every_participant", "Can look and act for every participant"),
                ],
            },
        ),
        migrations.RunPython(keep, give_back),
    ]
