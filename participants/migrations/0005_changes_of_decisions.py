"""The entries of a decision are found by the number of the change that carried it out."""

from django.db import migrations, models
from django.db.models.fields.json import KeyTransform


class Migration(migrations.Migration):
    dependencies = [("participants", "0004_decisions")]

    operations = [
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(KeyTransform("change", "after"), name="audit_change"),
        ),
    ]
