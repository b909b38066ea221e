import django.contrib.postgres.fields
import django.contrib.postgres.indexes
from django.db import migrations, models

OF_EARLIER_CHANGES = """
UPDATE registry_change SET participants = touched.ids
FROM (
    SELECT change, array_agg(DISTINCT party ORDER BY party) AS ids
    FROM (
        SELECT recorded_by_id AS change, agr_id AS party FROM registry_representation
        UNION SELECT superseded_by_id, agr_id FROM registry_representation
        UNION SELECT recorded_by_id, dso_id FROM registry_congestionpointconnection
        UNION SELECT superseded_by_id, dso_id FROM registry_congestionpointconnection
        UNION SELECT t.recorded_by_id, p.dso_id
        FROM registry_congestionpointterms t JOIN registry_congestionpoint p ON p.id = t.congestion_point_id
        UNION SELECT t.superseded_by_id, p.dso_id
        FROM registry_congestionpointterms t JOIN registry_congestionpoint p ON p.id = t.congestion_point_id
    ) fact
    GROUP BY change
) touched
WHERE registry_change.id = touched.change
"""


class Migration(migrations.Migration):
    dependencies = [
        ("participants", "0004_decisions"),
        ("registry", "0004_conflicts_in_order"),
        ("uftp", "0003_refusal"),
    ]

    operations = [
        migrations.AddField(
            model_name="change",
            name="participants",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(),
                db_default=[],
                default=list,
                help_text="Those whose facts it changed",
                size=None,
            ),
        ),
        migrations.RunSQL(OF_EARLIER_CHANGES, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="change",
            index=django.contrib.postgres.indexes.GinIndex(
                fastupdate=False, fields=["participants"], name="change_participants"
            ),
        ),
        migrations.AddIndex(
            model_name="congestionpointconnection",
            index=models.Index(fields=["dso", "id"], name="membership_dso"),
        ),
        migrations.AddIndex(
            model_name="representation",
            index=models.Index(fields=["agr", "id"], name="representation_agr"),
        ),
    ]
