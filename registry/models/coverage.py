"""Coverage: how many connections of each congestion point an AGR represents."""

from __future__ import annotations

from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.lookups import LessThan

from registry.models.points import CongestionPoint


class Coverage(models.IntegerChoices):
    """Bands of the share of a congestion point's connections that an AGR represents."""

    EMPTY = 0, "No connections"
    NONE = 1, "0 %"
    UNDER_25 = 2, "Over 0 %, under 25 %"
    UNDER_50 = 3, "25 % to under 50 %"
    UNDER_75 = 4, "50 % to under 75 %"
    UNDER_100 = 5, "75 % to under 100 %"
    ALL = 6, "100 %"


def share_under(quarters: int) -> LessThan:
    """Return the condition that less than a number of quarters of the connections is represented."""
    return LessThan(F("represented") * 4, F("connections") * quarters)


class CongestionPointCoverage(models.Model):
    """The number of connections of a congestion point on a day, and how many of them an AGR represents.

    `registry.queries.coverage` counts them from the facts.
    """

    congestion_point = models.OneToOneField(
        CongestionPoint, primary_key=True, on_delete=models.CASCADE, related_name="coverage"
    )
    day = models.DateField()
    has_terms = models.BooleanField(
        default=True,
        db_default=True,
        help_text="Whether it has terms on the day; else it has ended or not begun",
    )
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
    """The one row with the day that the coverage is for, and the latest change that was counted."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    day = models.DateField()
    latest_change = models.DateTimeField(null=True)
    counted_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="coverage_has_one_state")]

    def __str__(self) -> str:
        return f"coverage on {self.day}"
