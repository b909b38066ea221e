"""Participants, their keys, the mode and the audit trail: the six migrations of the first version, in one.

Two statements are left out, because a database made by this one has no such rows: what gave earlier keys the moment
when they were added, and what renamed the permission of staff who are not limited.
"""

from typing import Any

import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.contrib.postgres.fields.ranges
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.fields.json
import django.db.models.functions.datetime
from django.contrib.postgres.operations import BtreeGistExtension
from django.db import migrations, models

APPEND_ONLY = """
CREATE FUNCTION participants_audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries are never changed nor deleted';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON participants_auditentry
    FOR EACH ROW EXECUTE FUNCTION participants_audit_is_append_only();
"""
NOT_APPEND_ONLY = """
DROP TRIGGER append_only ON participants_auditentry;
DROP FUNCTION participants_audit_is_append_only();
"""


def start_open(apps: Any, schema_editor: Any) -> None:
    apps.get_model("participants", "Mode").objects.create(id=1)


class Migration(migrations.Migration):
    replaces = [
        ("participants", "0001_initial"),
        ("participants", "0002_staff_scope"),
        ("participants", "0003_keys_without_a_beginning"),
        ("participants", "0004_decisions"),
        ("participants", "0005_changes_of_decisions"),
        ("participants", "0006_see_or_act"),
    ]

    initial = True

    dependencies = []

    operations = [
        BtreeGistExtension(),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("moment", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("actor", models.CharField(max_length=150)),
                ("action", models.CharField(max_length=100)),
                ("subject", models.CharField(max_length=600)),
                ("before", models.JSONField(null=True)),
                ("after", models.JSONField(null=True)),
                ("reason", models.TextField(blank=True)),
                (
                    "participants",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, editable=False, size=None
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["subject"], name="audit_subject", opclasses=["varchar_pattern_ops"]),
                    django.contrib.postgres.indexes.GinIndex(
                        fastupdate=False, fields=["participants"], name="audit_participants"
                    ),
                    models.Index(fields=["actor", "-id"], name="audit_actor"),
                    models.Index(fields=["action", "-id"], name="audit_action"),
                    models.Index(fields=["moment"], name="audit_moment"),
                    models.Index(
                        django.db.models.fields.json.KeyTransform("change", "after"), name="audit_change"
                    ),
                ],
                "verbose_name": "decision",
            },
        ),
        migrations.CreateModel(
            name="Mode",
            fields=[
                (
                    "id",
                    models.SmallIntegerField(default=1, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "value",
                    models.CharField(
                        choices=[("open", "Open"), ("closed", "Closed")],
                        default="open",
                        max_length=6,
                        verbose_name="mode",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "mode",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="mode_has_one_row")
                ],
            },
        ),
        migrations.CreateModel(
            name="Participant",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[("AGR", "Aggregator (AGR)"), ("DSO", "Distribution system operator (DSO)")],
                        max_length=3,
                    ),
                ),
                (
                    "domain",
                    models.CharField(
                        help_text="Internet domain in lower case, such as agr.example", max_length=253
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=200)),
                (
                    "endpoint",
                    models.CharField(
                        blank=True,
                        help_text="URL that messages to it are posted to, such as "
                        "https://uftp.agr.example/shapeshifter/api/v3/message; empty: found by discovery",
                        max_length=500,
                    ),
                ),
                (
                    "standing",
                    models.CharField(
                        choices=[
                            ("known", "Known"),
                            ("authorized", "Authorized"),
                            ("suspended", "Suspended"),
                            ("barred", "Barred"),
                        ],
                        default="authorized",
                        max_length=10,
                    ),
                ),
                (
                    "placeholders",
                    models.BooleanField(
                        default=True,
                        help_text="Answer empty portfolio queries with a placeholder that its library's schema accepts",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("last_heard_at", models.DateTimeField(blank=True, editable=False, null=True)),
            ],
            options={
                "ordering": ["role", "domain"],
                "constraints": [
                    models.UniqueConstraint(fields=("role", "domain"), name="participant_role_domain"),
                    models.CheckConstraint(
                        condition=models.Q(("domain__regex", "^([a-z0-9]+(-[a-z0-9]+)*\\.)+[a-z]{2,}$")),
                        name="participant_domain_form",
                        violation_error_message="A domain is lower-case labels joined by dots, such as agr.example.",
                    ),
                ],
                "permissions": [
                    ("see_every_participant", "Can look at every participant"),
                    ("act_for_every_participant", "Can look and act for every participant"),
                ],
            },
        ),
        migrations.CreateModel(
            name="PublicKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "text",
                    models.CharField(
                        help_text="cs1.… as the participant publishes it",
                        max_length=100,
                        verbose_name="public key",
                    ),
                ),
                ("value", models.BinaryField(help_text="The 32 bytes that verify signatures", max_length=32)),
                ("valid_from", models.DateTimeField(blank=True, help_text="Empty: at once", null=True)),
                (
                    "valid_until",
                    models.DateTimeField(blank=True, help_text="Empty: until it is withdrawn", null=True),
                ),
                (
                    "participant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="keys",
                        to="participants.participant",
                    ),
                ),
                (
                    "added_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
            ],
            options={
                "ordering": ["participant", "id"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("participant", "value"), name="public_key_once_per_participant"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_until__isnull", True),
                            ("valid_until__gte", models.F("valid_from")),
                            _connector="OR",
                        ),
                        name="public_key_ends_after_it_begins",
                        violation_error_message="A key cannot end before it begins.",
                    ),
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        expressions=[
                            ("value", "="),
                            ("participant", "<>"),
                            (
                                models.Func(
                                    "valid_from",
                                    "valid_until",
                                    function="TSTZRANGE",
                                    output_field=django.contrib.postgres.fields.ranges.DateTimeRangeField(),
                                ),
                                "&&",
                            ),
                        ],
                        name="public_key_of_one_participant_at_a_time",
                        violation_error_message="This key is another participant's.",
                    ),
                ],
            },
        ),
        migrations.RunPython(start_open, migrations.RunPython.noop),
        migrations.RunSQL(APPEND_ONLY, NOT_APPEND_ONLY),
    ]
