import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0001_initial"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="change",
            options={"ordering": ["-id"], "permissions": [("adjust_period", "Can adjust periods")]},
        ),
        migrations.AlterModelOptions(
            name="conflict",
            options={"ordering": ["-id"], "permissions": [("settle_conflict", "Can settle conflicts")]},
        ),
        migrations.AddField(
            model_name="conflict",
            name="replaces",
            field=models.ForeignKey(
                blank=True,
                help_text="The conflict whose decision this one reverses",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="replaced_by",
                to="registry.conflict",
            ),
        ),
    ]
