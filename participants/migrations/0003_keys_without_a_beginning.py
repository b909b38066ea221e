"""A key that was given without a beginning has none, and every key says when it was added."""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("participants", "0002_staff_scope")]

    operations = [
        migrations.AlterField(
            model_name="publickey",
            name="valid_from",
            field=models.DateTimeField(blank=True, help_text="Empty: at once", null=True),
        ),
        migrations.AddField(
            model_name="publickey",
            name="added_at",
            field=models.DateTimeField(db_default=Now(), editable=False),
        ),
        migrations.RunSQL(
            "UPDATE participants_publickey SET added_at = least(valid_from, now())",
            migrations.RunSQL.noop,
        ),
        migrations.AlterModelOptions(name="publickey", options={"ordering": ["participant", "id"]}),
    ]
