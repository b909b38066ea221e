"""Connections, and the two kinds of claims on them: memberships by DSOs and representations by AGRs."""

from __future__ import annotations

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from participants.models import Participant
from registry.models.addresses import has_capitals, indexed_end
from registry.models.changes import CURRENT, Change, Fact, FactQuerySet, superseded_index
from registry.models.points import CongestionPoint

WAITING = CURRENT & ~Q(standing="effective")


class ClaimStanding(models.TextChoices):
    """The standing of the days of a claim (docs/rules.md C1)."""

    EFFECTIVE = "effective", "Effective"
    CONTESTED = "contested", "Contested"
    REFUSED = "refused", "Refused"


class Connection(models.Model):
    """A grid connection, identified by its entity address."""

    address = models.CharField(max_length=501, db_collation="C")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["address"], name="connection_address")]
        indexes = [
            models.Index(indexed_end(), name="connection_end"),
            models.Index(Lower("address"), name="connection_capitals", condition=has_capitals()),
        ]

    def __str__(self) -> str:
        return self.address


class Claim(Fact):
    """A fact that others may contest.

    `waiting_since` is the change from which on the claimant waits for the days; null while the claim is effective.
    `given_to` is the party that the days of a refused claim were given to, for as long as that party holds them
    (docs/rules.md C3). It is null for other claims, and for refused claims that were superseded before this was
    recorded.
    """

    standing = models.CharField(max_length=9, choices=ClaimStanding.choices)
    waiting_since = models.ForeignKey(
        Change, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    given_to = models.ForeignKey(
        Participant, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )

    class Meta:
        abstract = True


def waits_unless_effective(name: str) -> models.CheckConstraint:
    """Return the constraint that a claim has `waiting_since` if and only if it is not effective."""
    return models.CheckConstraint(
        condition=Q(standing=ClaimStanding.EFFECTIVE, waiting_since__isnull=True)
        | (~Q(standing=ClaimStanding.EFFECTIVE) & Q(waiting_since__isnull=False)),
        name=name,
    )


def refused_to_a_party(name: str) -> models.CheckConstraint:
    """Return the constraint that a current claim names the party that has its days if and only if it is refused."""
    return models.CheckConstraint(
        condition=Q(standing=ClaimStanding.REFUSED, given_to__isnull=False)
        | Q(standing=ClaimStanding.REFUSED, superseded_by__isnull=False)
        | (~Q(standing=ClaimStanding.REFUSED) & Q(given_to__isnull=True)),
        name=name,
    )


def given_to_index(name: str) -> models.Index:
    """Return an index that finds the refused claims whose days a party was given."""
    return models.Index(fields=["given_to"], name=name, condition=Q(given_to__isnull=False))


class CongestionPointConnection(Claim):
    """A DSO's claim that a connection belongs to one of its congestion points.

    While `exclusive` is true, no exclusive claim of another DSO is effective on the same day. It is false if the
    policy allowed that both count.
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
            superseded_index("membership_superseded"),
            given_to_index("membership_given_to"),
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
                condition=CURRENT & Q(standing=ClaimStanding.EFFECTIVE, exclusive=True),
            ),
            models.CheckConstraint(condition=~Q(period__isempty=True), name="membership_has_days"),
            waits_unless_effective("membership_waits_unless_effective"),
            refused_to_a_party("membership_refused_to_a_party"),
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
            superseded_index("representation_superseded"),
            given_to_index("representation_given_to"),
        ]
        constraints = [
            ExclusionConstraint(
                name="one_effective_agr_a_day",
                expressions=[
                    ("connection", RangeOperators.EQUAL),
                    ("period", RangeOperators.OVERLAPS),
                ],
                condition=CURRENT & Q(standing=ClaimStanding.EFFECTIVE),
            ),
            models.CheckConstraint(condition=~Q(period__isempty=True), name="representation_has_days"),
            waits_unless_effective("representation_waits_unless_effective"),
            refused_to_a_party("representation_refused_to_a_party"),
        ]

    def __str__(self) -> str:
        return f"{self.connection} by {self.agr}"
