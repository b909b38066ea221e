"""Congestion points and their terms."""

from __future__ import annotations

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from participants.models import Participant
from registry.models.addresses import has_capitals, indexed_end, local_part
from registry.models.changes import CURRENT, Change, Fact, FactQuerySet, superseded_index


class RedispatchBy(models.TextChoices):
    """The role that redispatches."""

    AGR = "AGR", "AGR"
    DSO = "DSO", "DSO"


class CongestionPoint(models.Model):
    """A congestion point, identified by its DSO and its entity address.

    The same address at two DSOs is two congestion points (docs/rules.md D8).
    """

    dso = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="congestion_points")
    address = models.CharField(max_length=501, db_collation="C")

    class Meta:
        ordering = ["dso", "address"]
        constraints = [
            models.UniqueConstraint(fields=["dso", "address"], name="congestion_point_dso_address")
        ]
        indexes = [
            models.Index(fields=["address"], name="congestion_point_address"),
            models.Index(indexed_end(), name="congestion_point_end"),
            models.Index(local_part(), name="congestion_point_local_part"),
            models.Index(Lower("address"), name="congestion_point_capitals", condition=has_capitals()),
        ]

    def __str__(self) -> str:
        return self.address


class CongestionPointTerms(Fact):
    """The fact that a congestion point exists on certain days, on certain terms."""

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
            superseded_index("terms_superseded"),
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


class CongestionPointEnding(models.Model):
    """The fact that a message ended a congestion point at once on a day (docs/rules.md D5).

    A message that is sent again on a later day means the same by it. There is at most one current row for each
    congestion point and day on which its DSO sent such a message.
    """

    congestion_point = models.ForeignKey(
        CongestionPoint, on_delete=models.PROTECT, related_name="endings", db_index=False
    )
    day = models.DateField()
    recorded_by = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="+")
    superseded_by = models.ForeignKey(
        Change, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )

    objects = FactQuerySet["CongestionPointEnding"].as_manager()

    class Meta:
        verbose_name = "ending at once"
        verbose_name_plural = "endings at once"
        indexes = [
            models.Index(fields=["congestion_point", "day"], name="ending_point"),
            superseded_index("ending_superseded"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["congestion_point", "day"], name="one_ending_a_day", condition=CURRENT
            )
        ]

    def __str__(self) -> str:
        return f"{self.congestion_point} ended at once on {self.day}"
