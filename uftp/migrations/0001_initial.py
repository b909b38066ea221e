import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
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
                        help_text=(
                            "The first with its MessageID to be taken up: any other of its sender is a duplicate"
                        ),
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
            ],
            options={
                "ordering": ["-id"],
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
                ("message_id", models.CharField(max_length=36, unique=True)),
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
            ],
            options={
                "ordering": ["-id"],
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
        migrations.AddField(
            model_name="inboundmessage",
            name="sender",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="messages", to="uftp.sender"
            ),
        ),
        migrations.AddIndex(
            model_name="outboundmessage",
            index=models.Index(
                condition=models.Q(("state", "waiting")), fields=["next_attempt_at"], name="outbound_due"
            ),
        ),
        migrations.AddIndex(
            model_name="outboundmessage",
            index=models.Index(
                condition=models.Q(("claimed_until__isnull", False), ("state", "waiting")),
                fields=["recipient_role", "recipient_domain", "claimed_until"],
                name="outbound_claimed",
            ),
        ),
        migrations.AddIndex(
            model_name="outboundmessage",
            index=models.Index(
                condition=models.Q(("state", "failed")), fields=["id"], name="outbound_failed"
            ),
        ),
        migrations.AddIndex(
            model_name="outboundmessage",
            index=models.Index(fields=["conversation_id"], name="outbound_conversation_id"),
        ),
        migrations.AddIndex(
            model_name="outboundmessage",
            index=models.Index(
                fields=["recipient_role", "recipient_domain", "id"], name="outbound_recipient"
            ),
        ),
        migrations.AddIndex(
            model_name="outboundmessage",
            index=models.Index(
                condition=models.Q(("state", "waiting")),
                fields=["recipient_role", "recipient_domain", "next_attempt_at", "id"],
                name="outbound_recipient_due",
            ),
        ),
        migrations.AddIndex(
            model_name="outboundmessage",
            index=models.Index(fields=["created_at"], name="outbound_created_at"),
        ),
        migrations.AddIndex(
            model_name="inboundmessage",
            index=models.Index(
                condition=models.Q(("state", "received")), fields=["sender", "id"], name="inbound_waiting"
            ),
        ),
        migrations.AddIndex(
            model_name="inboundmessage",
            index=models.Index(
                condition=models.Q(("state", "set aside")), fields=["id"], name="inbound_set_aside"
            ),
        ),
        migrations.AddIndex(
            model_name="inboundmessage",
            index=models.Index(
                condition=models.Q(("result", "Rejected")), fields=["id"], name="inbound_rejected"
            ),
        ),
        migrations.AddIndex(
            model_name="inboundmessage",
            index=models.Index(fields=["message_id"], name="inbound_message_id"),
        ),
        migrations.AddIndex(
            model_name="inboundmessage",
            index=models.Index(fields=["conversation_id"], name="inbound_conversation_id"),
        ),
        migrations.AddIndex(
            model_name="inboundmessage",
            index=models.Index(fields=["received_at"], name="inbound_received_at"),
        ),
        migrations.AddConstraint(
            model_name="inboundmessage",
            constraint=models.UniqueConstraint(
                fields=("sender", "message_id", "content_hash"), name="inbound_message_once"
            ),
        ),
    ]
