"""The latest tests of a participant are found among all that was ever sent to it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("uftp", "0003_refusal")]

    operations = [
        migrations.AddIndex(
            model_name="outboundmessage",
            index=models.Index(
                condition=models.Q(("message_type", "TestMessage")),
                fields=["recipient_role", "recipient_domain", "id"],
                name="outbound_tests",
            ),
        ),
    ]
