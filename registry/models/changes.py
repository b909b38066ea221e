"""Changes of the registry, revision places, and the base class of all facts."""

from __future__ import annotations

from datetime import date, datetime
from typing import TypeVar

from django.contrib.postgres.fields import ArrayField, DateRangeField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.search import word_vector
from participants.models import Participant
from uftp.models import InboundMessage

M = TypeVar("M", bound=models.Model)


CURRENT = Q(superseded_by__isnull=True)


class Change(models.Model):
    """One transaction on the registry.

    `moment` is stamped last in the transaction, so moments are in the order of the commits (docs/rules.md H1).
    """

    class Kind(models.TextChoices):
        MESSAGE = "message", "Message"
        IMPORT = "import", "Import"
        STAFF = "staff", "Staff"
        DELIVERY = "delivery", "Delivery"

    kind = models.CharField(max_length=8, choices=Kind.choices)
    message = models.ForeignKey(
        InboundMessage, null=True, blank=True, on_delete=models.PROTECT, related_name="changes"
    )
    actor = models.CharField(
        max_length=300, blank=True, help_text="Member of staff, or who started the import"
    )
    reason = models.TextField(blank=True)
    moment = models.DateTimeField(null=True, db_index=True)
    participants = ArrayField(
        models.BigIntegerField(), default=list, db_default=[], help_text="Participants whose facts it changed"
    )
    reverses = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="reversed_by",
        db_index=False,
        help_text="The import or the decision about several conflicts that this change reverses",
    )

    class Meta:
        ordering = ["-id"]
        permissions = [("adjust_period", "Can adjust periods")]
        indexes = [
            GinIndex(fields=["participants"], name="change_participants", fastupdate=False),
            models.Index(fields=["reverses"], name="change_reverses", condition=Q(reverses__isnull=False)),
            GinIndex(word_vector("reason"), name="change_reason_words", condition=~Q(reason="")),
        ]

    def __str__(self) -> str:
        return f"change {self.pk} by {self.kind}"

    @property
    def file_name(self) -> str:
        """Return the name of the imported file: the first line of the reason."""
        return self.reason.partition("\n")[0]

    @property
    def why(self) -> str:
        """Return the reason that staff gave for a change by staff or for an import; empty for other changes."""
        if self.kind == self.Kind.IMPORT:
            return self.reason.partition("\n")[2]
        return self.reason if self.kind == self.Kind.STAFF else ""


def superseded_index(name: str) -> models.Index:
    """Return an index that finds the facts that a change superseded."""
    return models.Index(fields=["superseded_by"], name=name, condition=~CURRENT)


class FactQuerySet(models.QuerySet[M]):
    """Queries for facts: by the moment at which they were known, and by the days of their periods."""

    def current(self) -> FactQuerySet[M]:
        """Return the current facts: those that are not superseded."""
        return self.filter(CURRENT)

    def known_at(self, moment: datetime) -> FactQuerySet[M]:
        """Return the facts that were known at a moment.

        A change that is stamped but not committed yet is not seen. To exclude that case, call
        `registry.changes.wait_for_stamped_changes` first. Then the result for a past moment never changes.

        Args:
            moment: An aware moment.
        """
        return self.filter(
            Q(recorded_by__moment__lte=moment),
            CURRENT | Q(superseded_by__moment__gt=moment),
        )

    def on(self, day: date) -> FactQuerySet[M]:
        """Return the facts whose period contains a day of the market."""
        return self.filter(period__contains=day)


class Fact(models.Model):
    """The base class of all facts: their days, and the changes that recorded and superseded them."""

    period = DateRangeField()
    recorded_by = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="+")
    superseded_by = models.ForeignKey(
        Change, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )

    class Meta:
        abstract = True


class RevisionPlace(models.Model):
    """The latest Sequence and TimeStamp accepted from one sender for one type of update (docs/rules.md S1)."""

    sender = models.ForeignKey(Participant, on_delete=models.CASCADE, related_name="revision_places")
    update_type = models.CharField(max_length=30)
    sequence = models.BigIntegerField(null=True, blank=True)
    time_stamp = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sender", "update_type"], name="revision_place_once")]

    def __str__(self) -> str:
        return f"{self.update_type} of {self.sender}"
