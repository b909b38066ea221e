"""Messages, their senders, delivery and refusals: the five migrations of the first version, in one."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

# Keep signed bytes quick to store: lz4 where the server has it, else as they are.
# PostgreSQL's own default takes 2.5 s for a message of 77 MB that lz4 stores in 0.6 s, at the same size.
COMPACT = """
DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['uftp_inboundmessage', 'uftp_outboundmessage'] LOOP
        IF EXISTS (
            SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)
        ) THEN
            EXECUTE format('ALTER TABLE %I ALTER COLUMN sealed SET COMPRESSION lz4', kept);
        ELSE
            EXECUTE format('ALTER TABLE %I ALTER COLUMN sealed SET STORAGE EXTERNAL', kept);
        END IF;
    END LOOP;
END $$
"""


class Migration(migrations.Migration):
    replaces = [
        ("uftp", "0001_initial"),
        ("uftp", "0002_store_messages_compactly"),
        ("uftp", "0003_refusal"),
        ("uftp", "0004_outbound_tests"),
        ("uftp", "0005_passing_on"),
    ]

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Sender",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("role", models.CharField(max_length=3)),
                ("domain", models.CharField(max_length=253)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("role", "domain"), name="sender_role_domain")
                ],
            },
        ),
        migrations.CreateModel(
            name="InboundMessage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("message_type", models.CharField(max_length=60)),
                ("version", models.CharField(max_length=20)),
                (
                    "major",
                    models.SmallIntegerField(help_text="Major version in the path that it was posted to"),
                ),
                ("message_id", models.CharField(help_text="In lower case", max_length=36)),
                ("conversation_id", models.CharField(max_length=36)),
                ("content_hash", models.BinaryField(help_text="SHA-256 of the inner XML", max_length=32)),
                (
                    "sealed",
                    models.BinaryField(
                        help_text="The exact signed bytes: 64 bytes of signature, then the inner XML"
                    ),
                ),
                ("size", models.PositiveIntegerField(help_text="Bytes of inner XML")),
                ("received_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("received", "Waiting"),
                            ("processed", "Processed"),
                            ("set aside", "Set aside"),
                        ],
                        default="received",
                        max_length=10,
                    ),
                ),
                ("result", models.CharField(blank=True, max_length=8)),
                ("reason", models.TextField(blank=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                (
                    "holds_message_id",
                    models.BooleanField(
                        db_default=False,
                        help_text="The first with its MessageID to be taken up: any other of its sender is a duplicate",
                    ),
                ),
                (
                    "setbacks",
                    models.PositiveSmallIntegerField(
                        db_default=0,
                        help_text="Minutes of lost races, or of trouble with the database, in a row",
                    ),
                ),
                ("last_setback_at", models.DateTimeField(blank=True, null=True)),
                ("last_error", models.TextField(blank=True)),
                ("processed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "last_copy_at",
                    models.DateTimeField(
                        blank=True, help_text="When an identical copy was last answered", null=True
                    ),
                ),
                (
                    "sender",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="messages", to="uftp.sender"
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "received")),
                        fields=["sender", "id"],
                        name="inbound_waiting",
                    ),
                    models.Index(
                        condition=models.Q(("state", "set aside")), fields=["id"], name="inbound_set_aside"
                    ),
                    models.Index(
                        condition=models.Q(("result", "Rejected")), fields=["id"], name="inbound_rejected"
                    ),
                    models.Index(fields=["message_id"], name="inbound_message_id"),
                    models.Index(fields=["conversation_id"], name="inbound_conversation_id"),
                    models.Index(fields=["received_at"], name="inbound_received_at"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("sender", "message_id", "content_hash"), name="inbound_message_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OutboundMessage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("recipient_role", models.CharField(max_length=3)),
                ("recipient_domain", models.CharField(max_length=253)),
                ("message_type", models.CharField(max_length=60)),
                ("version", models.CharField(max_length=20)),
                ("message_id", models.CharField(max_length=36)),
                ("conversation_id", models.CharField(max_length=36)),
                ("result", models.CharField(blank=True, max_length=8)),
                ("reason", models.TextField(blank=True)),
                (
                    "sealed",
                    models.BinaryField(
                        help_text="The exact signed bytes: 64 bytes of signature, then the inner XML"
                    ),
                ),
                ("size", models.PositiveIntegerField(help_text="Bytes of inner XML")),
                ("created_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "Waiting"), ("delivered", "Delivered"), ("failed", "Failed")],
                        default="waiting",
                        max_length=9,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("next_attempt_at", models.DateTimeField(blank=True, null=True)),
                (
                    "claimed_until",
                    models.DateTimeField(
                        blank=True,
                        help_text="A worker is posting it; from this moment on another one may",
                        null=True,
                    ),
                ),
                (
                    "claims",
                    models.PositiveIntegerField(
                        db_default=0,
                        help_text="How often a worker has claimed it, ever: the number of a claim",
                    ),
                ),
                ("give_up_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "in_reply_to",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="replies",
                        to="uftp.inboundmessage",
                    ),
                ),
                (
                    "passes_on",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="passings",
                        to="uftp.inboundmessage",
                    ),
                ),
                (
                    "sealed_by",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        help_text="Who signed it, where it is passed on",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="uftp.sender",
                    ),
                ),
                (
                    "not_before",
                    models.DateTimeField(
                        blank=True,
                        help_text="Its recipient asked to wait until then, where it is passed on",
                        null=True,
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "waiting")),
                        fields=["next_attempt_at"],
                        name="outbound_due",
                    ),
                    models.Index(
                        condition=models.Q(("claimed_until__isnull", False), ("state", "waiting")),
                        fields=["recipient_role", "recipient_domain", "claimed_until"],
                        name="outbound_claimed",
                    ),
                    models.Index(
                        condition=models.Q(("state", "failed")), fields=["id"], name="outbound_failed"
                    ),
                    models.Index(fields=["conversation_id"], name="outbound_conversation_id"),
                    models.Index(
                        fields=["recipient_role", "recipient_domain", "id"], name="outbound_recipient"
                    ),
                    models.Index(
                        condition=models.Q(("state", "waiting")),
                        fields=["recipient_role", "recipient_domain", "next_attempt_at", "id"],
                        name="outbound_recipient_due",
                    ),
                    models.Index(fields=["created_at"], name="outbound_created_at"),
                    models.Index(
                        condition=models.Q(("message_type", "TestMessage")),
                        fields=["recipient_role", "recipient_domain", "id"],
                        name="outbound_tests",
                    ),
                    models.Index(
                        condition=models.Q(("sealed_by__isnull", False), ("state", "waiting")),
                        fields=["sealed_by", "recipient_role", "recipient_domain", "id"],
                        name="outbound_lined_up",
                    ),
                    models.Index(fields=["message_id"], name="outbound_message_id"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("passes_on__isnull", True)),
                        fields=("message_id",),
                        name="outbound_own_message_id",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("passes_on__isnull", False)),
                        fields=("passes_on", "recipient_role", "recipient_domain"),
                        name="outbound_passed_on_once",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DeliveryAttempt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("endpoint", models.CharField(blank=True, max_length=500)),
                ("status", models.PositiveSmallIntegerField(blank=True, null=True)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("delivered", "Delivered"),
                            ("temporary", "Temporary failure"),
                            ("permanent", "Permanent failure"),
                        ],
                        max_length=9,
                    ),
                ),
                ("detail", models.TextField(blank=True)),
                (
                    "message",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="delivery_attempts",
                        to="uftp.outboundmessage",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="Refusal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(verbose_name="refused at")),
                (
                    "address",
                    models.CharField(blank=True, help_text="Where the request came from", max_length=45),
                ),
                ("role", models.CharField(max_length=3)),
                ("domain", models.CharField(max_length=253)),
                (
                    "major",
                    models.SmallIntegerField(help_text="Major version in the path that it was posted to"),
                ),
                ("status", models.PositiveSmallIntegerField(help_text="The HTTP status that it got")),
                ("line", models.CharField(max_length=510, verbose_name="answer")),
                ("size", models.PositiveBigIntegerField(help_text="Bytes of the request's body")),
                (
                    "verified",
                    models.BooleanField(
                        help_text="Whether the signature is the claimed sender's",
                        verbose_name="signature verified",
                    ),
                ),
                (
                    "content",
                    models.BinaryField(
                        help_text="The beginning of the inner XML, where it is verified", null=True
                    ),
                ),
                (
                    "content_size",
                    models.PositiveBigIntegerField(help_text="Bytes of all of the inner XML", null=True),
                ),
            ],
            options={
                "verbose_name": "refusal at the door",
                "verbose_name_plural": "refusals at the door",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["role", "domain", "id"], name="refusal_claimed_sender"),
                    models.Index(fields=["at"], name="refusal_at"),
                ],
            },
        ),
        migrations.RunSQL(COMPACT, migrations.RunSQL.noop),
    ]
