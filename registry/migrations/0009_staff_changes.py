"""Name the kind of a change by staff for who made it: such a change can also be about a contract or an outcome."""

import django.contrib.postgres.fields
from django.db import migrations, models

TO_STAFF = "UPDATE registry_change SET kind = 'staff' WHERE kind = 'decision'"
TO_DECISION = "UPDATE registry_change SET kind = 'decision' WHERE kind = 'staff'"


class Migration(migrations.Migration):
    dependencies = [("registry", "0001_squashed_0008_imports")]

    operations = [
        migrations.AlterField(
            model_name="change",
            name="actor",
            field=models.CharField(
                blank=True, help_text="Member of staff, or who started the import", max_length=300
            ),
        ),
        migrations.AlterField(
            model_name="change",
            name="kind",
            field=models.CharField(
                choices=[
                    ("message", "Message"),
                    ("import", "Import"),
                    ("staff", "Staff"),
                    ("delivery", "Delivery"),
                ],
                max_length=8,
            ),
        ),
        migrations.RunSQL(TO_STAFF, TO_DECISION),
        migrations.AlterField(
            model_name="change",
            name="participants",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(),
                db_default=[],
                default=list,
                help_text="Participants whose facts it changed",
                size=None,
            ),
        ),
        migrations.AlterField(
            model_name="importrun",
            name="applies",
            field=models.BooleanField(default=True, help_text="Off: a preview or a dry run"),
        ),
        migrations.AlterField(
            model_name="importrun",
            name="content_hash",
            field=models.CharField(
                blank=True, help_text="SHA-256 of the file as received, in hex digits", max_length=64
            ),
        ),
        migrations.AlterField(
            model_name="importrun",
            name="size",
            field=models.BigIntegerField(help_text="Size of the file as received, in bytes", null=True),
        ),
        migrations.AlterField(
            model_name="importrun",
            name="step",
            field=models.CharField(blank=True, help_text="Step that is under way", max_length=60),
        ),
    ]
