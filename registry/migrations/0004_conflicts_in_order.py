from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("participants", "0004_decisions"),
        ("registry", "0003_coverage"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="conflict",
            index=models.Index(
                condition=models.Q(("closed_by__isnull", True)), fields=["id"], name="conflict_open_in_order"
            ),
        ),
        migrations.AddIndex(
            model_name="conflict",
            index=models.Index(
                condition=models.Q(("closed_by__isnull", True)),
                fields=["holder", "id"],
                name="conflict_open_holder",
            ),
        ),
        migrations.AddIndex(
            model_name="conflict",
            index=models.Index(
                condition=models.Q(("closed_by__isnull", True)),
                fields=["claimant", "id"],
                name="conflict_open_claimant",
            ),
        ),
        migrations.AddIndex(
            model_name="conflict",
            index=models.Index(
                condition=models.Q(("decision", ""), _negated=True),
                fields=["decision", "id"],
                name="conflict_decided",
            ),
        ),
    ]
