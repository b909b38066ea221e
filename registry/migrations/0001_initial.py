import django.contrib.postgres.constraints
import django.contrib.postgres.fields.ranges
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("participants", "0001_initial"),
        ("uftp", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Policy",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("value", models.CharField(max_length=20)),
            ],
            options={
                "verbose_name_plural": "policies",
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Change",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("message", "Message"), ("import", "Import"), ("decision", "Decision")],
                        max_length=8,
                    ),
                ),
                (
                    "actor",
                    models.CharField(
                        blank=True, help_text="Member of staff, or the import's name", max_length=300
                    ),
                ),
                ("reason", models.TextField(blank=True)),
                ("moment", models.DateTimeField(db_index=True, null=True)),
                (
                    "message",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="changes",
                        to="uftp.inboundmessage",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="CongestionPoint",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("address", models.CharField(db_collation="C", max_length=501)),
                (
                    "dso",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="congestion_points",
                        to="participants.participant",
                    ),
                ),
            ],
            options={
                "ordering": ["dso", "address"],
            },
        ),
        migrations.CreateModel(
            name="CongestionPointTerms",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("period", django.contrib.postgres.fields.ranges.DateRangeField()),
                ("mutex_offers_supported", models.BooleanField()),
                (
                    "day_ahead_redispatch_by",
                    models.CharField(choices=[("AGR", "AGR"), ("DSO", "DSO")], max_length=3),
                ),
                (
                    "intraday_redispatch_by",
                    models.CharField(
                        blank=True, choices=[("AGR", "AGR"), ("DSO", "DSO")], max_length=3, null=True
                    ),
                ),
                (
                    "congestion_point",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="terms",
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
                "verbose_name_plural": "congestion point terms",
            },
        ),
        migrations.CreateModel(
            name="Connection",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("address", models.CharField(db_collation="C", max_length=501)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("address",), name="connection_address")],
            },
        ),
        migrations.CreateModel(
            name="CongestionPointConnection",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("period", django.contrib.postgres.fields.ranges.DateRangeField()),
                (
                    "standing",
                    models.CharField(
                        choices=[
                            ("effective", "Effective"),
                            ("contested", "Contested"),
                            ("refused", "Refused"),
                        ],
                        max_length=9,
                    ),
                ),
                ("exclusive", models.BooleanField(default=True)),
                (
                    "congestion_point",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="memberships",
                        to="registry.congestionpoint",
                    ),
                ),
                (
                    "dso",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="participants.participant",
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
                (
                    "waiting_since",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="registry.change",
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="memberships",
                        to="registry.connection",
                    ),
                ),
            ],
            options={
                "verbose_name": "membership",
            },
        ),
        migrations.CreateModel(
            name="Conflict",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("representation", "Representation"), ("membership", "Membership")],
                        max_length=14,
                    ),
                ),
                ("period", django.contrib.postgres.fields.ranges.DateRangeField()),
                (
                    "decision",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("keep", "The holder keeps the days"),
                            ("give", "The claimant gets the days"),
                            ("split", "Split at a day"),
                        ],
                        max_length=5,
                    ),
                ),
                (
                    "split_at",
                    models.DateField(blank=True, help_text="First day that the claimant gets", null=True),
                ),
                ("decided_by", models.CharField(blank=True, max_length=150)),
                ("reason", models.TextField(blank=True)),
                (
                    "claimant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="participants.participant",
                    ),
                ),
                (
                    "closed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="conflicts_closed",
                        to="registry.change",
                    ),
                ),
                (
                    "holder",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="participants.participant",
                    ),
                ),
                (
                    "opened_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="conflicts_opened",
                        to="registry.change",
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="conflicts",
                        to="registry.connection",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="Market",
            fields=[
                (
                    "id",
                    models.SmallIntegerField(default=1, editable=False, primary_key=True, serialize=False),
                ),
                ("time_zone", models.CharField(default="Europe/Amsterdam", max_length=60)),
                (
                    "isp_duration",
                    models.CharField(default="PT15M", max_length=10, verbose_name="ISP duration"),
                ),
            ],
            options={
                "verbose_name_plural": "market",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="market_has_one_row")
                ],
            },
        ),
        migrations.CreateModel(
            name="PolicySetting",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=40)),
                ("value", models.CharField(max_length=20)),
                ("set_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "indexes": [models.Index(fields=["name", "-set_at", "-id"], name="policy_setting_in_force")],
            },
        ),
        migrations.CreateModel(
            name="Representation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("period", django.contrib.postgres.fields.ranges.DateRangeField()),
                (
                    "standing",
                    models.CharField(
                        choices=[
                            ("effective", "Effective"),
                            ("contested", "Contested"),
                            ("refused", "Refused"),
                        ],
                        max_length=9,
                    ),
                ),
                (
                    "agr",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="participants.participant",
                        verbose_name="AGR",
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="representations",
                        to="registry.connection",
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
                (
                    "waiting_since",
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
        ),
        migrations.CreateModel(
            name="RevisionPlace",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("update_type", models.CharField(max_length=30)),
                ("sequence", models.BigIntegerField(blank=True, null=True)),
                ("time_stamp", models.DateTimeField(blank=True, null=True)),
                ("updated_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "sender",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="revision_places",
                        to="participants.participant",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="congestionpoint",
            index=models.Index(fields=["address"], name="congestion_point_address"),
        ),
        migrations.AddConstraint(
            model_name="congestionpoint",
            constraint=models.UniqueConstraint(
                fields=("dso", "address"), name="congestion_point_dso_address"
            ),
        ),
        migrations.AddIndex(
            model_name="congestionpointterms",
            index=models.Index(fields=["congestion_point"], name="terms_point"),
        ),
        migrations.AddIndex(
            model_name="congestionpointterms",
            index=models.Index(
                condition=models.Q(("superseded_by__isnull", True), _negated=True),
                fields=["superseded_by"],
                name="terms_superseded",
            ),
        ),
        migrations.AddConstraint(
            model_name="congestionpointterms",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                condition=models.Q(("superseded_by__isnull", True)),
                expressions=[("congestion_point", "="), ("period", "&&")],
                name="one_terms_a_day",
            ),
        ),
        migrations.AddConstraint(
            model_name="congestionpointterms",
            constraint=models.CheckConstraint(
                condition=models.Q(("period__isempty", True), _negated=True), name="terms_have_days"
            ),
        ),
        migrations.AddIndex(
            model_name="congestionpointconnection",
            index=models.Index(
                condition=models.Q(("superseded_by__isnull", True)),
                fields=["congestion_point", "connection"],
                name="membership_point_now",
            ),
        ),
        migrations.AddIndex(
            model_name="congestionpointconnection",
            index=models.Index(fields=["connection"], name="membership_connection"),
        ),
        migrations.AddIndex(
            model_name="congestionpointconnection",
            index=models.Index(
                condition=models.Q(
                    ("superseded_by__isnull", True), models.Q(("standing", "effective"), _negated=True)
                ),
                fields=["standing", "id"],
                name="membership_waiting",
            ),
        ),
        migrations.AddIndex(
            model_name="congestionpointconnection",
            index=models.Index(
                condition=models.Q(("superseded_by__isnull", True), _negated=True),
                fields=["superseded_by"],
                name="membership_superseded",
            ),
        ),
        migrations.AddConstraint(
            model_name="congestionpointconnection",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                condition=models.Q(("superseded_by__isnull", True)),
                expressions=[("connection", "="), ("congestion_point", "="), ("period", "&&")],
                name="one_membership_a_day",
            ),
        ),
        migrations.AddConstraint(
            model_name="congestionpointconnection",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                condition=models.Q(
                    ("superseded_by__isnull", True), ("exclusive", True), ("standing", "effective")
                ),
                expressions=[("connection", "="), ("dso", "<>"), ("period", "&&")],
                name="one_exclusive_dso_a_day",
            ),
        ),
        migrations.AddConstraint(
            model_name="congestionpointconnection",
            constraint=models.CheckConstraint(
                condition=models.Q(("period__isempty", True), _negated=True), name="membership_has_days"
            ),
        ),
        migrations.AddConstraint(
            model_name="congestionpointconnection",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("standing", "effective"), ("waiting_since__isnull", True)),
                    models.Q(
                        models.Q(("standing", "effective"), _negated=True), ("waiting_since__isnull", False)
                    ),
                    _connector="OR",
                ),
                name="membership_waits_unless_effective",
            ),
        ),
        migrations.AddIndex(
            model_name="conflict",
            index=models.Index(fields=["connection"], name="conflict_connection"),
        ),
        migrations.AddIndex(
            model_name="conflict",
            index=models.Index(
                condition=models.Q(("closed_by__isnull", True)), fields=["kind", "id"], name="conflict_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="conflict",
            constraint=models.UniqueConstraint(
                condition=models.Q(("closed_by__isnull", True)),
                fields=("kind", "connection", "holder", "claimant", "period"),
                name="conflict_open_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="conflict",
            constraint=models.CheckConstraint(
                condition=models.Q(("holder", models.F("claimant")), _negated=True),
                name="conflict_has_two_parties",
            ),
        ),
        migrations.AddIndex(
            model_name="representation",
            index=models.Index(
                condition=models.Q(("superseded_by__isnull", True)),
                fields=["agr", "connection"],
                name="representation_agr_now",
            ),
        ),
        migrations.AddIndex(
            model_name="representation",
            index=models.Index(fields=["connection"], name="representation_connection"),
        ),
        migrations.AddIndex(
            model_name="representation",
            index=models.Index(
                condition=models.Q(
                    ("superseded_by__isnull", True), models.Q(("standing", "effective"), _negated=True)
                ),
                fields=["standing", "id"],
                name="representation_waiting",
            ),
        ),
        migrations.AddIndex(
            model_name="representation",
            index=models.Index(
                condition=models.Q(("superseded_by__isnull", True), _negated=True),
                fields=["superseded_by"],
                name="representation_superseded",
            ),
        ),
        migrations.AddConstraint(
            model_name="representation",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                condition=models.Q(("superseded_by__isnull", True), ("standing", "effective")),
                expressions=[("connection", "="), ("period", "&&")],
                name="one_effective_agr_a_day",
            ),
        ),
        migrations.AddConstraint(
            model_name="representation",
            constraint=models.CheckConstraint(
                condition=models.Q(("period__isempty", True), _negated=True), name="representation_has_days"
            ),
        ),
        migrations.AddConstraint(
            model_name="representation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("standing", "effective"), ("waiting_since__isnull", True)),
                    models.Q(
                        models.Q(("standing", "effective"), _negated=True), ("waiting_since__isnull", False)
                    ),
                    _connector="OR",
                ),
                name="representation_waits_unless_effective",
            ),
        ),
        migrations.AddConstraint(
            model_name="revisionplace",
            constraint=models.UniqueConstraint(fields=("sender", "update_type"), name="revision_place_once"),
        ),
    ]
