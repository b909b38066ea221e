"""Facts, changes, conflicts, policies, coverage and imports: the eight migrations of the first version, in one.

The statement that gave earlier changes their participants is left out: a database made by this one has none.
"""

import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.contrib.postgres.fields.ranges
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models
from django.db.models import F
from django.db.models.lookups import LessThan


def share_under(quarters):
    return LessThan(F("represented") * 4, F("connections") * quarters)


class Migration(migrations.Migration):
    replaces = [
        ("registry", "0001_initial"),
        ("registry", "0002_decisions"),
        ("registry", "0003_coverage"),
        ("registry", "0004_conflicts_in_order"),
        ("registry", "0005_participants_of_changes"),
        ("registry", "0006_first_days"),
        ("registry", "0007_delivery_changes"),
        ("registry", "0008_imports"),
    ]

    initial = True

    dependencies = [
        ("participants", "0001_squashed_0006_see_or_act"),
        ("uftp", "0001_squashed_0005_passing_on"),
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
                        choices=[
                            ("message", "Message"),
                            ("import", "Import"),
                            ("decision", "Decision"),
                            ("delivery", "Delivery"),
                        ],
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
                (
                    "participants",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        db_default=[],
                        default=list,
                        help_text="Those whose facts it changed",
                        size=None,
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "permissions": [("adjust_period", "Can adjust periods")],
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex(
                        fastupdate=False, fields=["participants"], name="change_participants"
                    )
                ],
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
                "indexes": [models.Index(fields=["address"], name="congestion_point_address")],
                "constraints": [
                    models.UniqueConstraint(fields=("dso", "address"), name="congestion_point_dso_address")
                ],
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
                "indexes": [
                    models.Index(fields=["congestion_point"], name="terms_point"),
                    models.Index(
                        condition=models.Q(("superseded_by__isnull", True), _negated=True),
                        fields=["superseded_by"],
                        name="terms_superseded",
                    ),
                ],
                "constraints": [
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        condition=models.Q(("superseded_by__isnull", True)),
                        expressions=[("congestion_point", "="), ("period", "&&")],
                        name="one_terms_a_day",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("period__isempty", True), _negated=True), name="terms_have_days"
                    ),
                ],
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
                "indexes": [
                    models.Index(
                        condition=models.Q(("superseded_by__isnull", True)),
                        fields=["congestion_point", "connection"],
                        name="membership_point_now",
                    ),
                    models.Index(fields=["connection"], name="membership_connection"),
                    models.Index(
                        condition=models.Q(
                            ("superseded_by__isnull", True),
                            models.Q(("standing", "effective"), _negated=True),
                        ),
                        fields=["standing", "id"],
                        name="membership_waiting",
                    ),
                    models.Index(
                        condition=models.Q(("superseded_by__isnull", True), _negated=True),
                        fields=["superseded_by"],
                        name="membership_superseded",
                    ),
                    models.Index(fields=["dso", "id"], name="membership_dso"),
                    models.Index(models.F("period__startswith"), name="membership_first_day"),
                ],
                "constraints": [
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        condition=models.Q(("superseded_by__isnull", True)),
                        expressions=[("connection", "="), ("congestion_point", "="), ("period", "&&")],
                        name="one_membership_a_day",
                    ),
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        condition=models.Q(
                            ("superseded_by__isnull", True), ("exclusive", True), ("standing", "effective")
                        ),
                        expressions=[("connection", "="), ("dso", "<>"), ("period", "&&")],
                        name="one_exclusive_dso_a_day",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("period__isempty", True), _negated=True),
                        name="membership_has_days",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("standing", "effective"), ("waiting_since__isnull", True)),
                            models.Q(
                                models.Q(("standing", "effective"), _negated=True),
                                ("waiting_since__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="membership_waits_unless_effective",
                    ),
                ],
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
                (
                    "replaces",
                    models.ForeignKey(
                        blank=True,
                        help_text="The conflict whose decision this one reverses",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="replaced_by",
                        to="registry.conflict",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["connection"], name="conflict_connection"),
                    models.Index(
                        condition=models.Q(("closed_by__isnull", True)),
                        fields=["kind", "id"],
                        name="conflict_open",
                    ),
                    models.Index(
                        condition=models.Q(("closed_by__isnull", True)),
                        fields=["id"],
                        name="conflict_open_in_order",
                    ),
                    models.Index(
                        condition=models.Q(("closed_by__isnull", True)),
                        fields=["holder", "id"],
                        name="conflict_open_holder",
                    ),
                    models.Index(
                        condition=models.Q(("closed_by__isnull", True)),
                        fields=["claimant", "id"],
                        name="conflict_open_claimant",
                    ),
                    models.Index(
                        condition=models.Q(("decision", ""), _negated=True),
                        fields=["decision", "id"],
                        name="conflict_decided",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("closed_by__isnull", True)),
                        fields=("kind", "connection", "holder", "claimant", "period"),
                        name="conflict_open_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("holder", models.F("claimant")), _negated=True),
                        name="conflict_has_two_parties",
                    ),
                ],
                "permissions": [("settle_conflict", "Can settle conflicts")],
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
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("superseded_by__isnull", True)),
                        fields=["agr", "connection"],
                        name="representation_agr_now",
                    ),
                    models.Index(fields=["connection"], name="representation_connection"),
                    models.Index(
                        condition=models.Q(
                            ("superseded_by__isnull", True),
                            models.Q(("standing", "effective"), _negated=True),
                        ),
                        fields=["standing", "id"],
                        name="representation_waiting",
                    ),
                    models.Index(
                        condition=models.Q(("superseded_by__isnull", True), _negated=True),
                        fields=["superseded_by"],
                        name="representation_superseded",
                    ),
                    models.Index(fields=["agr", "id"], name="representation_agr"),
                    models.Index(models.F("period__startswith"), name="representation_first_day"),
                ],
                "constraints": [
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        condition=models.Q(("superseded_by__isnull", True), ("standing", "effective")),
                        expressions=[("connection", "="), ("period", "&&")],
                        name="one_effective_agr_a_day",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("period__isempty", True), _negated=True),
                        name="representation_has_days",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("standing", "effective"), ("waiting_since__isnull", True)),
                            models.Q(
                                models.Q(("standing", "effective"), _negated=True),
                                ("waiting_since__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="representation_waits_unless_effective",
                    ),
                ],
            },
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
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("sender", "update_type"), name="revision_place_once")
                ],
            },
        ),
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
                        expression=models.Case(
                            models.When(connections=0, then=models.Value(0)),
                            models.When(represented=0, then=models.Value(1)),
                            models.When(
                                share_under(1),
                                then=models.Value(2),
                            ),
                            models.When(
                                share_under(2),
                                then=models.Value(3),
                            ),
                            models.When(
                                share_under(3),
                                then=models.Value(4),
                            ),
                            models.When(
                                share_under(4),
                                then=models.Value(5),
                            ),
                            default=models.Value(6),
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
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="coverage_has_one_state")
                ],
            },
        ),
        migrations.CreateModel(
            name="ImportRun",
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
                        choices=[
                            ("participants", "Participants"),
                            ("congestion points", "Congestion points"),
                            ("connections", "Connections"),
                            ("contracts", "Contracts"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waits for a worker"),
                            ("running", "Under way"),
                            ("shown", "Preview is ready"),
                            ("applied", "Applied"),
                            ("unchanged", "Nothing to change"),
                            ("dry", "Dry run"),
                            ("refused", "Refused"),
                            ("failed", "Failed"),
                            ("interrupted", "Interrupted"),
                            ("discarded", "Discarded"),
                        ],
                        default="running",
                        max_length=12,
                    ),
                ),
                (
                    "uploaded",
                    models.BooleanField(default=False, help_text="From the admin; else by a command"),
                ),
                (
                    "applies",
                    models.BooleanField(
                        default=True, help_text="Whether it changes anything, or only shows what would"
                    ),
                ),
                ("full", models.BooleanField(default=False)),
                ("allow_shrink", models.BooleanField(default=False)),
                ("skip_bad_lines", models.BooleanField(default=False)),
                ("file_name", models.CharField(max_length=300)),
                ("size", models.BigIntegerField(help_text="Bytes of the file as it came", null=True)),
                (
                    "content_hash",
                    models.CharField(blank=True, help_text="SHA-256 of these, in hex digits", max_length=64),
                ),
                ("actor", models.CharField(max_length=300)),
                ("reason", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("tries", models.SmallIntegerField(default=0)),
                ("step", models.CharField(blank=True, help_text="What it is at", max_length=60)),
                ("lines", models.BigIntegerField(null=True)),
                ("bad_lines", models.BigIntegerField(default=0)),
                ("summary", models.JSONField(default=dict)),
                ("message", models.TextField(blank=True, help_text="Why nothing was imported")),
                ("fingerprint", models.CharField(blank=True, max_length=64)),
                (
                    "change",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="import_runs",
                        to="registry.change",
                    ),
                ),
            ],
            options={
                "verbose_name": "import",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ("waiting", "running", "shown"))),
                        fields=["state", "id"],
                        name="import_run_unfinished",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ImportFile",
            fields=[
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="file",
                        serialize=False,
                        to="registry.importrun",
                    ),
                ),
                ("content", models.BinaryField(null=True)),
                ("rejects", models.BinaryField(help_text="CSV: line,column,rule,value", null=True)),
            ],
        ),
    ]
