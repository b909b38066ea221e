import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Case, F, Value, When
from django.db.models.lookups import LessThan


def share_under(quarters):
    return LessThan(F("represented") * 4, F("connections") * quarters)


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0002_decisions"),
    ]

    operations = [
        migrations.CreateModel(
            name="CongestionPointCoverage",
            fields=[
                (
                    "congestion_point",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="coverage",
                        serialize=False,
                        to="registry.congestionpoint",
                    ),
                ),
                ("day", models.DateField()),
                ("connections", models.IntegerField()),
                ("represented", models.IntegerField()),
                ("counted_at", models.DateTimeField()),
                (
                    "band",
                    models.GeneratedField(
                        db_persist=True,
                        expression=Case(
                            When(connections=0, then=Value(0)),
                            When(represented=0, then=Value(1)),
                            When(share_under(1), then=Value(2)),
                            When(share_under(2), then=Value(3)),
                            When(share_under(3), then=Value(4)),
                            When(share_under(4), then=Value(5)),
                            default=Value(6),
                        ),
                        output_field=models.SmallIntegerField(),
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["band", "congestion_point"], name="coverage_band")],
            },
        ),
        migrations.CreateModel(
            name="CoverageState",
            fields=[
                (
                    "id",
                    models.SmallIntegerField(default=1, editable=False, primary_key=True, serialize=False),
                ),
                ("day", models.DateField()),
                ("latest_change", models.DateTimeField(null=True)),
                ("counted_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(id=1), name="coverage_has_one_state")
                ],
            },
        ),
    ]
