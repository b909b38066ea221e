"""The common reference: what DSOs and AGRs claim, for which days, and when the registry held it for true.

Days are stored half-open, `[first, last + 1)`; `registry.periods` converts to and from the inclusive days of
messages and screens. A fact row is never edited but for `superseded_by`, and never deleted: a row is current while
`superseded_by` is null, and was known at a moment when it was recorded by then and not yet superseded.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TypeVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateRangeField, RangeOperators
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Now
from django.db.models.lookups import LessThan

from participants.models import Participant
from uftp.models import InboundMessage

M = TypeVar("M", bound=models.Model)

CURRENT = Q(superseded_by__isnull=True)
WAITING = CURRENT & ~Q(standing="effective")


class Standing(models.TextChoices):
    """What a claimed day counts for (docs/rules.md C1)."""

    EFFECTIVE = "effective", "Effective"
    CONTESTED = "contested", "Contested"
    REFUSED = "refused", "Refused"


class RedispatchBy(models.TextChoices):
    AGR = "AGR", "AGR"
    DSO = "DSO", "DSO"


class Market(models.Model):
    """The one row of market-wide facts: the time zone its days are in, and the length of an ISP."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    time_zone = models.CharField(max_length=60, default="Europe/Amsterdam")
    isp_duration = models.CharField("ISP duration", max_length=10, default="PT15M")

    class Meta:
        verbose_name_plural = "market"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="market_has_one_row")]

    def __str__(self) -> str:
        return f"{self.time_zone}, {self.isp_duration}"


class Policy(models.Model):
    """The operator's choice where the rules leave one; `registry.market.policies` names them and their values."""

    name = models.CharField(max_length=40, primary_key=True)
    value = models.CharField(max_length=20)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "policies"

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"


class PolicySetting(models.Model):
    """What a policy was set to, and since when: a message is judged by the policies of its receipt."""

    name = models.CharField(max_length=40)
    value = models.CharField(max_length=20)
    set_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["name", "-set_at", "-id"], name="policy_setting_in_force")]

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"


class Change(models.Model):
    """One transaction on the registry. `moment` is stamped last, in the order of the commits."""

    class Kind(models.TextChoices):
        MESSAGE = "message", "Message"
        IMPORT = "import", "Import"
        DECISION = "decision", "Decision"
        DELIVERY = "delivery", "Delivery"

    kind = models.CharField(max_length=8, choices=Kind.choices)
    message = models.ForeignKey(
        InboundMessage, null=True, blank=True, on_delete=models.PROTECT, related_name="changes"
    )
    actor = models.CharField(max_length=300, blank=True, help_text="Member of staff, or the import's name")
    reason = models.TextField(blank=True)
    moment = models.DateTimeField(null=True, db_index=True)
    participants = ArrayField(
        models.BigIntegerField(), default=list, db_default=[], help_text="Those whose facts it changed"
    )

    class Meta:
        ordering = ["-id"]
        permissions = [("adjust_period", "Can adjust periods")]
        indexes = [GinIndex(fields=["participants"], name="change_participants", fastupdate=False)]

    def __str__(self) -> str:
        return f"change {self.pk} by {self.kind}"

    @property
    def file_name(self) -> str:
        """The name of the file that an import is of."""
        return self.reason.partition("\n")[0]

    @property
    def why(self) -> str:
        """What staff gave as the reason, of a decision or of an import."""
        if self.kind == self.Kind.IMPORT:
            return self.reason.partition("\n")[2]
        return self.reason if self.kind == self.Kind.DECISION else ""


def superseded(name: str) -> models.Index:
    """Finds what a change has superseded."""
    return models.Index(fields=["superseded_by"], name=name, condition=~CURRENT)


class FactQuerySet(models.QuerySet[M]):
    """Facts by what was known when, and by the days they are about."""

    def current(self) -> FactQuerySet[M]:
        """What the registry holds for true."""
        return self.filter(CURRENT)

    def known_at(self, moment: datetime) -> FactQuerySet[M]:
        """What the registry held for true at `moment` (aware); never changes for a past moment.

        `registry.changes.await_stamped_changes` first, in the same transaction, makes "never" hold to the instant.
        """
        return self.filter(
            Q(recorded_by__moment__lte=moment),
            CURRENT | Q(superseded_by__moment__gt=moment),
        )

    def on(self, day: date) -> FactQuerySet[M]:
        """Facts about `day`, a day of the market."""
        return self.filter(period__contains=day)


class Fact(models.Model):
    """What all facts share: their days, and the changes that recorded and superseded them."""

    period = DateRangeField()
    recorded_by = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="+")
    superseded_by = models.ForeignKey(
        Change, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )

    class Meta:
        abstract = True


class CongestionPoint(models.Model):
    """(DSO, entity address): the same address published by two DSOs is two points (docs/rules.md D8)."""

    dso = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="congestion_points")
    address = models.CharField(max_length=501, db_collation="C")

    class Meta:
        ordering = ["dso", "address"]
        constraints = [
            models.UniqueConstraint(fields=["dso", "address"], name="congestion_point_dso_address")
        ]
        indexes = [models.Index(fields=["address"], name="congestion_point_address")]

    def __str__(self) -> str:
        return self.address


class CongestionPointTerms(Fact):
    """On which days a congestion point exists, and on which terms."""

    congestion_point = models.ForeignKey(
        CongestionPoint, on_delete=models.PROTECT, related_name="terms", db_index=False
    )
    mutex_offers_supported = models.BooleanField()
    day_ahead_redispatch_by = models.CharField(max_length=3, choices=RedispatchBy.choices)
    intraday_redispatch_by = models.CharField(  # noqa: DJ001 - null: no intraday trading
        max_length=3, choices=RedispatchBy.choices, null=True, blank=True
    )

    objects = FactQuerySet["CongestionPointTerms"].as_manager()

    class Meta:
        verbose_name_plural = "congestion point terms"
        indexes = [
            models.Index(fields=["congestion_point"], name="terms_point"),
            superseded("terms_superseded"),
        ]
        constraints = [
            ExclusionConstraint(
                name="one_terms_a_day",
                expressions=[
                    ("congestion_point", RangeOperators.EQUAL),
                    ("period", RangeOperators.OVERLAPS),
                ],
                condition=CURRENT,
            ),
            models.CheckConstraint(condition=~Q(period__isempty=True), name="terms_have_days"),
        ]

    def __str__(self) -> str:
        return f"terms of {self.congestion_point}"


class Connection(models.Model):
    """A grid connection, by its entity address."""

    address = models.CharField(max_length=501, db_collation="C")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["address"], name="connection_address")]

    def __str__(self) -> str:
        return self.address


class Claim(Fact):
    """A fact that others may contest.

    `waiting_since` is the change from which on the claimant has waited for these days; null while they count.
    """

    standing = models.CharField(max_length=9, choices=Standing.choices)
    waiting_since = models.ForeignKey(
        Change, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )

    class Meta:
        abstract = True


def waits_unless_effective(name: str) -> models.CheckConstraint:
    """A claim waits for its days exactly while they do not count."""
    return models.CheckConstraint(
        condition=Q(standing=Standing.EFFECTIVE, waiting_since__isnull=True)
        | (~Q(standing=Standing.EFFECTIVE) & Q(waiting_since__isnull=False)),
        name=name,
    )


class CongestionPointConnection(Claim):
    """A DSO's claim that a connection lies behind one of its congestion points.

    `exclusive`: no other DSO's exclusive claim counts on the same day; false where the policy allowed both.
    """

    congestion_point = models.ForeignKey(
        CongestionPoint, on_delete=models.PROTECT, related_name="memberships", db_index=False
    )
    dso = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="+", db_index=False)
    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, related_name="memberships", db_index=False
    )
    exclusive = models.BooleanField(default=True)

    objects = FactQuerySet["CongestionPointConnection"].as_manager()

    class Meta:
        verbose_name = "membership"
        indexes = [
            models.Index(
                fields=["congestion_point", "connection"], name="membership_point_now", condition=CURRENT
            ),
            models.Index(fields=["connection"], name="membership_connection"),
            models.Index(fields=["dso", "id"], name="membership_dso"),
            models.Index(fields=["standing", "id"], name="membership_waiting", condition=WAITING),
            models.Index(F("period__startswith"), name="membership_first_day"),
            superseded("membership_superseded"),
        ]
        constraints = [
            ExclusionConstraint(
                name="one_membership_a_day",
                expressions=[
                    ("connection", RangeOperators.EQUAL),
                    ("congestion_point", RangeOperators.EQUAL),
                    ("period", RangeOperators.OVERLAPS),
                ],
                condition=CURRENT,
            ),
            ExclusionConstraint(
                name="one_exclusive_dso_a_day",
                expressions=[
                    ("connection", RangeOperators.EQUAL),
                    ("dso", RangeOperators.NOT_EQUAL),
                    ("period", RangeOperators.OVERLAPS),
                ],
                condition=CURRENT & Q(standing=Standing.EFFECTIVE, exclusive=True),
            ),
            models.CheckConstraint(condition=~Q(period__isempty=True), name="membership_has_days"),
            waits_unless_effective("membership_waits_unless_effective"),
        ]

    def __str__(self) -> str:
        return f"{self.connection} in {self.congestion_point}"


class Representation(Claim):
    """An AGR's claim that it represents the prosumer at a connection."""

    agr = models.ForeignKey(
        Participant, verbose_name="AGR", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, related_name="representations", db_index=False
    )

    objects = FactQuerySet["Representation"].as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["agr", "connection"], name="representation_agr_now", condition=CURRENT),
            models.Index(fields=["connection"], name="representation_connection"),
            models.Index(fields=["agr", "id"], name="representation_agr"),
            models.Index(fields=["standing", "id"], name="representation_waiting", condition=WAITING),
            models.Index(F("period__startswith"), name="representation_first_day"),
            superseded("representation_superseded"),
        ]
        constraints = [
            ExclusionConstraint(
                name="one_effective_agr_a_day",
                expressions=[
                    ("connection", RangeOperators.EQUAL),
                    ("period", RangeOperators.OVERLAPS),
                ],
                condition=CURRENT & Q(standing=Standing.EFFECTIVE),
            ),
            models.CheckConstraint(condition=~Q(period__isempty=True), name="representation_has_days"),
            waits_unless_effective("representation_waits_unless_effective"),
        ]

    def __str__(self) -> str:
        return f"{self.connection} by {self.agr}"


OPEN = Q(closed_by__isnull=True)


class Conflict(models.Model):
    """A maximal run of days of one connection that a claimant contests and a holder holds.

    Derived from the claims: it opens and closes with them, and carries the decision of staff about it. A decision is
    reversed by a row that replaces it, opened and closed by one change.
    """

    class Kind(models.TextChoices):
        REPRESENTATION = "representation", "Representation"
        MEMBERSHIP = "membership", "Membership"

    class Decision(models.TextChoices):
        KEEP = "keep", "The holder keeps the days"
        GIVE = "give", "The claimant gets the days"
        SPLIT = "split", "Split at a day"

    kind = models.CharField(max_length=14, choices=Kind.choices)
    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, related_name="conflicts", db_index=False
    )
    holder = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="+")
    claimant = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="+")
    period = DateRangeField()
    opened_by = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="conflicts_opened")
    closed_by = models.ForeignKey(
        Change, null=True, blank=True, on_delete=models.PROTECT, related_name="conflicts_closed"
    )
    decision = models.CharField(max_length=5, choices=Decision.choices, blank=True)
    split_at = models.DateField(null=True, blank=True, help_text="First day that the claimant gets")
    decided_by = models.CharField(max_length=150, blank=True)
    reason = models.TextField(blank=True)
    replaces = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="replaced_by",
        help_text="The conflict whose decision this one reverses",
    )

    class Meta:
        ordering = ["-id"]
        permissions = [("settle_conflict", "Can settle conflicts")]
        indexes = [
            models.Index(fields=["connection"], name="conflict_connection"),
            models.Index(fields=["kind", "id"], name="conflict_open", condition=OPEN),
            models.Index(fields=["id"], name="conflict_open_in_order", condition=OPEN),
            models.Index(fields=["holder", "id"], name="conflict_open_holder", condition=OPEN),
            models.Index(fields=["claimant", "id"], name="conflict_open_claimant", condition=OPEN),
            models.Index(fields=["decision", "id"], name="conflict_decided", condition=~Q(decision="")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "connection", "holder", "claimant", "period"],
                name="conflict_open_once",
                condition=Q(closed_by__isnull=True),
            ),
            models.CheckConstraint(condition=~Q(holder=F("claimant")), name="conflict_has_two_parties"),
        ]

    def __str__(self) -> str:
        return f"conflict {self.pk}"


class RevisionPlace(models.Model):
    """How far one sender's updates of one type have come (docs/rules.md S1)."""

    sender = models.ForeignKey(Participant, on_delete=models.CASCADE, related_name="revision_places")
    update_type = models.CharField(max_length=30)
    sequence = models.BigIntegerField(null=True, blank=True)
    time_stamp = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sender", "update_type"], name="revision_place_once")]

    def __str__(self) -> str:
        return f"{self.update_type} of {self.sender}"


class Coverage(models.IntegerChoices):
    """How much of a congestion point AGRs represent: bands of the share of its connections."""

    EMPTY = 0, "No connections"
    NONE = 1, "0 %"
    UNDER_25 = 2, "Over 0 %, under 25 %"
    UNDER_50 = 3, "25 % to under 50 %"
    UNDER_75 = 4, "50 % to under 75 %"
    UNDER_100 = 5, "75 % to under 100 %"
    ALL = 6, "100 %"


def share_under(quarters: int) -> LessThan:
    """Whether less than so many quarters of the connections are represented."""
    return LessThan(F("represented") * 4, F("connections") * quarters)


class CongestionPointCoverage(models.Model):
    """How many connections a congestion point has on a day, and how many of them an AGR represents.

    Derived from the facts by `registry.queries.coverage`; no fact in itself.
    """

    congestion_point = models.OneToOneField(
        CongestionPoint, primary_key=True, on_delete=models.CASCADE, related_name="coverage"
    )
    day = models.DateField()
    connections = models.IntegerField()
    represented = models.IntegerField()
    counted_at = models.DateTimeField()
    band = models.GeneratedField(
        expression=Case(
            When(connections=0, then=Value(Coverage.EMPTY.value)),
            When(represented=0, then=Value(Coverage.NONE.value)),
            When(share_under(1), then=Value(Coverage.UNDER_25.value)),
            When(share_under(2), then=Value(Coverage.UNDER_50.value)),
            When(share_under(3), then=Value(Coverage.UNDER_75.value)),
            When(share_under(4), then=Value(Coverage.UNDER_100.value)),
            default=Value(Coverage.ALL.value),
        ),
        output_field=models.SmallIntegerField(),
        db_persist=True,
    )

    class Meta:
        indexes = [models.Index(fields=["band", "congestion_point"], name="coverage_band")]

    def __str__(self) -> str:
        return f"{self.represented} of {self.connections}"


class CoverageState(models.Model):
    """The one row that says what the coverage of congestion points holds for, and up to which change."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    day = models.DateField()
    latest_change = models.DateTimeField(null=True)
    counted_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="coverage_has_one_state")]

    def __str__(self) -> str:
        return f"coverage on {self.day}"


from registry.models.imports import ImportFile as ImportFile  # noqa: E402 - it refers to Change by name
from registry.models.imports import ImportRun as ImportRun  # noqa: E402
