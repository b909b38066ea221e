"""Add the tables of unknown senders."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("uftp", "0006_refused_requests"),
    ]

    operations = [
        migrations.CreateModel(
            name="OtherUnknownSenders",
            fields=[
                (
                    "id",
                    models.SmallIntegerField(default=1, editable=False, primary_key=True, serialize=False),
                ),
                ("requests", models.PositiveBigIntegerField()),
                ("last_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="other_unknown_senders_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="UnknownSender",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("role", models.CharField(max_length=3)),
                ("domain", models.CharField(max_length=253)),
                (
                    "address",
                    models.CharField(
                        blank=True, help_text="Address that its latest request came from", max_length=45
                    ),
                ),
                (
                    "network",
                    models.CharField(
                        editable=False,
                        help_text="The address that its first request came from; of IPv6 the /64",
                        max_length=45,
                    ),
                ),
                ("line", models.CharField(max_length=510, verbose_name="latest answer")),
                ("requests", models.PositiveBigIntegerField()),
                ("first_at", models.DateTimeField(verbose_name="first request")),
                ("last_at", models.DateTimeField(verbose_name="latest request")),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["-last_at"], name="unknown_sender_last_at"),
                    models.Index(fields=["-requests"], name="unknown_sender_requests"),
                    models.Index(fields=["network"], name="unknown_sender_network"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("role", "domain"), name="unknown_sender_once")
                ],
            },
        ),
    ]
