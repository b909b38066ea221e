"""Changes of the registry, and what every fact has in common: recorded by one change, superseded by another."""

from __future__ import annotations

from datetime import date, datetime
from typing import TypeVar

from django.contrib.postgres.fields import ArrayField, DateRangeField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from participants.models import Participant
from uftp.models import InboundMessage

M = TypeVar("M", bound=models.Model)


CURRENT = Q(superseded_by__isnull=True)


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
