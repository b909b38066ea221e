"""Find the endings of a congestion point by an index, and name them as staff read it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("registry", "0015_notice_refusals")]

    operations = [
        migrations.AlterModelOptions(
            "congestionpointending",
            {"verbose_name": "ending at once", "verbose_name_plural": "endings at once"},
        ),
        migrations.AddIndex(
            "congestionpointending",
            models.Index(fields=["congestion_point", "day"], name="ending_point"),
        ),
    ]
