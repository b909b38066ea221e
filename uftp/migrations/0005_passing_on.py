"""Messages that are passed on: in their sender's order, with its MessageID, which is unique among its own only."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("uftp", "0004_outbound_tests")]

    operations = [
        migrations.AddField(
            model_name="outboundmessage",
            name="passes_on",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="passings",
                to="uftp.inboundmessage",
            ),
        ),
        migrations.AddField(
            model_name="outboundmessage",
            name="sealed_by",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                help_text="Who signed it, where it is passed on",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="uftp.sender",
            ),
        ),
        migrations.AddField(
            model_name="outboundmessage",
            name="not_before",
            field=models.DateTimeField(
                blank=True,
                help_text="Its recipient asked to wait until then, where it is passed on",
                null=True,
            ),
        ),
        migrations.AddIndex(
            model_name="outboundmessage",
            index=models.Index(
                condition=models.Q(("sealed_by__isnull", False), ("state", "waiting")),
                fields=["sealed_by", "recipient_role", "recipient_domain", "id"],
                name="outbound_lined_up",
            ),
        ),
        migrations.AlterField(
            model_name="outboundmessage",
            name="message_id",
            field=models.CharField(max_length=36),
        ),
        migrations.AddIndex(
            model_name="outboundmessage",
            index=models.Index(fields=["message_id"], name="outbound_message_id"),
        ),
        migrations.AddConstraint(
            model_name="outboundmessage",
            constraint=models.UniqueConstraint(
                condition=models.Q(("passes_on__isnull", True)),
                fields=("message_id",),
                name="outbound_own_message_id",
            ),
        ),
        migrations.AddConstraint(
            model_name="outboundmessage",
            constraint=models.UniqueConstraint(
                condition=models.Q(("passes_on__isnull", False)),
                fields=("passes_on", "recipient_role", "recipient_domain"),
                name="outbound_passed_on_once",
            ),
        ),
    ]
