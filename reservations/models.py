"""Flexibility contracts with their versions, and the reservation updates of DSOs under them.

These rows are facts, as in the registry: only `superseded_by` of a row is ever changed, and no row is deleted. So what
was known at a past moment never changes. Periods are stored half-open (`registry.periods`). Watts are signed. ISPs are
numbered from 1.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from django.contrib.postgres.fields import ArrayField, DateRangeField
from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models import Case, F, Q, When
from django.db.models.functions import Left
from django.utils.text import Truncator

from participants.models import Participant
from registry.models import CURRENT, Change
from reservations.deadlines import Deadline
from uftp.models import InboundMessage

M = TypeVar("M", bound=models.Model)

LONGEST_CONTRACT_ID = 255
MAX_REFERENCE_SHOWN = 60
"""Characters of a Reference in the name of an update. A DSO may write a Reference of any length."""

INDEXED_REFERENCE_LENGTH = 60
"""Characters of a Reference in the index; a search compares no more than these."""


class KnownQuerySet(models.QuerySet[M]):
    """Facts as known at present, or at a past moment."""

    def current(self) -> KnownQuerySet[M]:
        """Return the facts that are held for true at present."""
        return self.filter(CURRENT)

    def known_at(self, moment: datetime) -> KnownQuerySet[M]:
        """Return the facts that were held for true at `moment` (aware).

        See `registry.models.FactQuerySet.known_at`.
        """
        return self.filter(Q(recorded_by__moment__lte=moment), CURRENT | Q(superseded_by__moment__gt=moment))


class Contract(models.Model):
    """A contract between a DSO and an AGR, identified by the two and their ContractID."""

    dso = models.ForeignKey(
        Participant, verbose_name="DSO", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    agr = models.ForeignKey(Participant, verbose_name="AGR", on_delete=models.PROTECT, related_name="+")
    contract_id = models.CharField("ContractID", max_length=LONGEST_CONTRACT_ID, db_collation="C")

    class Meta:
        ordering = ["dso", "agr", "contract_id"]
        constraints = [
            models.UniqueConstraint(fields=["dso", "agr", "contract_id"], name="contract_of_the_two"),
        ]
        indexes = [
            models.Index(fields=["dso", "contract_id"], name="contract_of_dso"),
            models.Index(fields=["contract_id"], name="contract_id"),
        ]

    def __str__(self) -> str:
        return self.contract_id


class ContractVersion(models.Model):
    """The content of a contract from one change to the next (docs/rules.md F17)."""

    class State(models.TextChoices):
        """The state of a contract."""

        DRAFT = "draft", "Draft"
        IN_FORCE = "in force", "In force"
        ENDED = "ended", "Ended"

    contract = models.ForeignKey(Contract, on_delete=models.PROTECT, related_name="versions", db_index=False)
    number = models.PositiveIntegerField(help_text="1 is the contract's first version")
    state = models.CharField(max_length=8, choices=State.choices)
    congestion_point = models.CharField(max_length=501, db_collation="C")
    period = DateRangeField("days in force")
    isp_minutes = models.PositiveSmallIntegerField("ISP duration", help_text="Minutes of an ISP")
    time_zone = models.CharField(max_length=60, help_text="The market's when this version was recorded")
    deadline_days = models.PositiveSmallIntegerField(null=True, blank=True)
    deadline_at = models.TimeField(null=True, blank=True)
    deadline_hours = models.PositiveSmallIntegerField(null=True, blank=True)
    recorded_by = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="+")
    superseded_by = models.ForeignKey(
        Change, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    objects = KnownQuerySet["ContractVersion"].as_manager()

    class Meta:
        ordering = ["contract", "number"]
        constraints = [
            models.UniqueConstraint(fields=["contract", "number"], name="contract_version_number"),
            models.UniqueConstraint(
                fields=["contract"], name="one_current_contract_version", condition=CURRENT
            ),
            models.CheckConstraint(
                condition=Q(deadline_hours__isnull=False, deadline_days=None, deadline_at=None)
                | Q(deadline_hours=None, deadline_days__isnull=False, deadline_at__isnull=False),
                name="contract_has_one_deadline",
            ),
            models.CheckConstraint(condition=~Q(period__isempty=True), name="contract_has_days"),
        ]

    def __str__(self) -> str:
        return f"version {self.number} of {self.contract}"

    @property
    def deadline(self) -> Deadline:
        """Return the deadline for releasing power, from its three columns."""
        return Deadline(days=self.deadline_days, at=self.deadline_at, hours=self.deadline_hours)


class VersionProfile(models.Model):
    """The power that a version reserves on one kind of day.

    The row is for a single `day`, for a `weekday` (1 is Monday), or for every day when both are None.
    """

    version = models.ForeignKey(
        ContractVersion, on_delete=models.PROTECT, related_name="profiles", db_index=False
    )
    weekday = models.PositiveSmallIntegerField(null=True, blank=True)
    day = models.DateField(null=True, blank=True)
    stretches = ArrayField(
        ArrayField(models.BigIntegerField(), size=3), help_text="First ISP, last ISP and watts of each"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version", "weekday", "day"], name="one_profile_of_a_day", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=Q(weekday=None) | Q(day=None, weekday__range=(1, 7)),
                name="profile_of_one_kind_of_day",
            ),
        ]

    def __str__(self) -> str:
        return f"profile of {self.version}"


class ReservationUpdate(models.Model):
    """A FlexReservationUpdate that passed the checks: the power that a DSO leaves reserved on the day `period`.

    `version` is the contract version that the update was checked against. `isps` holds Start, Duration and Power
    (watts) of each element, as stated. The history of the update is in its states.
    """

    class AddressedTo(models.TextChoices):
        """The recipient that the message names."""

        AGR = "AGR", "The AGR"
        CRO = "CRO", "The CRO"

    contract = models.ForeignKey(Contract, on_delete=models.PROTECT, related_name="updates", db_index=False)
    dso = models.ForeignKey(
        Participant, verbose_name="DSO", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    agr = models.ForeignKey(
        Participant, verbose_name="AGR", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    version = models.ForeignKey(
        ContractVersion, on_delete=models.PROTECT, related_name="updates", db_index=False
    )
    message = models.OneToOneField(
        InboundMessage, on_delete=models.PROTECT, related_name="reservation_update"
    )
    period = models.DateField("Period")
    reference = models.TextField("Reference")
    addressed_to = models.CharField(max_length=3, choices=AddressedTo.choices)
    time_stamp = models.DateTimeField("TimeStamp")
    received_at = models.DateTimeField("received")
    deadline = models.DateTimeField()
    isps = ArrayField(
        ArrayField(models.BigIntegerField(), size=3), help_text="Start, Duration and Power of each"
    )
    recorded_by = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["-id"]
        permissions = [("record_outcome", "Can record the outcome of reservation updates")]
        indexes = [
            models.Index(fields=["contract", "period", "time_stamp", "id"], name="update_in_order"),
            models.Index(fields=["dso", "id"], name="update_dso"),
            models.Index(fields=["agr", "id"], name="update_agr"),
            models.Index(fields=["period", "id"], name="update_period"),
            models.Index(fields=["received_at"], name="update_received"),
            models.Index(
                OpClass(Left("reference", INDEXED_REFERENCE_LENGTH), "text_pattern_ops"),
                name="update_reference",
            ),
        ]

    def __str__(self) -> str:
        return f"{Truncator(self.reference).chars(MAX_REFERENCE_SHOWN)} for {self.period}"


class UpdateState(models.Model):
    """The state of an update from one change to the next (docs/rules.md F12).

    The change `recorded_by` holds the moment and the source: a message, a delivery, or a member of staff with a reason.
    """

    class State(models.TextChoices):
        """The state of a reservation update."""

        RECEIVED = "received", "Received"
        PASSED_ON = "passed on", "Passed on"
        ACCEPTED = "accepted", "Accepted"
        REJECTED = "rejected", "Rejected"
        UNDONE = "undone", "Undone"

    COUNTING = (State.PASSED_ON, State.ACCEPTED)
    """An update in one of these states counts for settlement."""

    update = models.ForeignKey(
        ReservationUpdate, on_delete=models.PROTECT, related_name="states", db_index=False
    )
    state = models.CharField(max_length=9, choices=State.choices)
    recorded_by = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="+")
    superseded_by = models.ForeignKey(
        Change, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    current = models.GeneratedField(
        expression=Case(When(superseded_by=None, then=F("state"))),
        output_field=models.CharField(max_length=9, null=True),
        db_persist=True,
        help_text="The state while it is the update's, for lists: PostgreSQL knows how rare each is",
    )

    objects = KnownQuerySet["UpdateState"].as_manager()

    class Meta:
        ordering = ["update", "id"]
        constraints = [
            models.UniqueConstraint(fields=["update"], name="one_current_update_state", condition=CURRENT),
        ]
        indexes = [
            models.Index(fields=["update", "id"], name="update_states"),
            models.Index(fields=["current", "update"], name="update_state_current", condition=CURRENT),
        ]

    def __str__(self) -> str:
        return f"{self.update}: {self.state}"
