from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("participants", "0014_audit_trail"),
    ]

    operations = [
        migrations.AddField(
            model_name="journalentry",
            name="is_follow_up",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="It says how the follow-up changed; it is no comment",
            ),
        ),
    ]
