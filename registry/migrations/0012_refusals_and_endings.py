"""Name the party that a refusal is against, and remember that a congestion point was ended at once.

A refused claim that is current gets the party that holds its days. Where several DSOs hold a day, it is the one that
the latest decision gave it to, else the one that a conflict would name. A claim whose days went to several parties is
split into several rows with the same changes: what was known at a moment stays the same.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

HOLDERS = """
CREATE TEMP TABLE given ON COMMIT DROP AS
WITH refused AS (
    SELECT id, connection_id, {party} AS party_id, period FROM {table}
    WHERE superseded_by_id IS NULL AND standing = 'refused'
), held AS (
    SELECT r.id, h.{party} AS party_id, range_agg(r.period * h.period) AS days, bool_or({exclusive}) AS exclusive,
        (SELECT max(f.closed_by_id) FROM registry_conflict f
         WHERE f.kind = '{kind}' AND f.connection_id = r.connection_id AND f.decision <> '' AND f.period && r.period
            AND (f.holder_id, f.claimant_id) IN ((r.party_id, h.{party}), (h.{party}, r.party_id))) AS decided
    FROM refused r
    JOIN {table} h ON h.connection_id = r.connection_id AND h.{party} <> r.party_id AND h.period && r.period
        AND h.superseded_by_id IS NULL AND h.standing = 'effective'
    GROUP BY r.id, r.connection_id, r.party_id, r.period, h.{party}
), placed AS (
    SELECT *, row_number() OVER (
        PARTITION BY id ORDER BY decided DESC NULLS LAST, exclusive DESC, party_id
    ) AS place FROM held
), share AS (
    SELECT p.id, p.party_id, unnest(p.days - coalesce(range_agg(better.days), '{{}}')) AS days
    FROM placed p LEFT JOIN placed better ON better.id = p.id AND better.place < p.place
    GROUP BY p.id, p.party_id, p.days
)
SELECT id, party_id, days, row_number() OVER (PARTITION BY id ORDER BY days) AS number FROM share;

UPDATE {table} c SET period = given.days, given_to_id = given.party_id
FROM given WHERE given.id = c.id AND given.number = 1;

INSERT INTO {table} (connection_id, period, standing, given_to_id, waiting_since_id, recorded_by_id, {columns})
SELECT c.connection_id, given.days, c.standing, given.party_id, c.waiting_since_id, c.recorded_by_id, {values}
FROM {table} c JOIN given ON given.id = c.id AND given.number > 1;

DROP TABLE given;
SET CONSTRAINTS ALL IMMEDIATE;
"""


def holders(table: str, party: str, kind: str, exclusive: str, columns: str) -> str:
    """Return the SQL that names the party for the refused claims of one kind."""
    values = ", ".join(f"c.{column}" for column in columns.split(", "))
    return HOLDERS.format(
        table=table, party=party, kind=kind, exclusive=exclusive, columns=columns, values=values
    )


def given_to() -> models.ForeignKey:
    """Return the field; each of the two models has its own."""
    return models.ForeignKey(
        blank=True,
        db_index=False,
        null=True,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to="participants.participant",
    )


def named(name: str) -> models.CheckConstraint:
    """Return the constraint that a current claim names a party if and only if it is refused."""
    return models.CheckConstraint(
        condition=Q(standing="refused", given_to__isnull=False)
        | Q(standing="refused", superseded_by__isnull=False)
        | (~Q(standing="refused") & Q(given_to__isnull=True)),
        name=name,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("participants", "0001_squashed_0006_see_or_act"),
        ("registry", "0011_notices"),
    ]

    operations = [
        migrations.AddField("congestionpointconnection", "given_to", given_to()),
        migrations.AddField("representation", "given_to", given_to()),
        migrations.RunSQL(
            holders("registry_representation", "agr_id", "representation", "true", "agr_id"),
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(
            holders(
                "registry_congestionpointconnection",
                "dso_id",
                "membership",
                "h.exclusive",
                "congestion_point_id, dso_id, exclusive",
            ),
            migrations.RunSQL.noop,
        ),
        migrations.AddConstraint("congestionpointconnection", named("membership_refused_to_a_party")),
        migrations.AddConstraint("representation", named("representation_refused_to_a_party")),
        migrations.AddIndex(
            "congestionpointconnection",
            models.Index(
                fields=["given_to"], condition=Q(given_to__isnull=False), name="membership_given_to"
            ),
        ),
        migrations.AddIndex(
            "representation",
            models.Index(
                fields=["given_to"], condition=Q(given_to__isnull=False), name="representation_given_to"
            ),
        ),
        migrations.CreateModel(
            name="CongestionPointEnding",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField()),
                (
                    "congestion_point",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="endings",
                        to="registry.congestionpoint",
                    ),
                ),
                (
                    "recorded_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="registry.change"
                    ),
                ),
                (
                    "superseded_by",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="registry.change",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["superseded_by"],
                        condition=~Q(superseded_by__isnull=True),
                        name="ending_superseded",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=["congestion_point", "day"],
                        condition=Q(superseded_by__isnull=True),
                        name="one_ending_a_day",
                    )
                ],
            },
        ),
    ]
