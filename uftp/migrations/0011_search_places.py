import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("uftp", "0010_unknown_senders_by_site"),
    ]

    operations = [
        migrations.AddField(
            model_name="messagesearch",
            name="places",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.TextField(), default=list, size=None
            ),
        ),
    ]
