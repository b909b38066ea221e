from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0005_participants_of_changes"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="congestionpointconnection",
            index=models.Index(models.F("period__startswith"), name="membership_first_day"),
        ),
        migrations.AddIndex(
            model_name="representation",
            index=models.Index(models.F("period__startswith"), name="representation_first_day"),
        ),
    ]
