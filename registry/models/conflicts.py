"""Conflicts between claims, with the decisions that staff took about them."""

from __future__ import annotations

from django.contrib.postgres.fields import DateRangeField
from django.db import models
from django.db.models import F, Q

from participants.models import Participant
from registry.models.changes import Change
from registry.models.claims import Connection

OPEN = Q(closed_by__isnull=True)


class Conflict(models.Model):
    """A longest run of contested days of one connection between one holder and one claimant.

    Conflicts follow from the claims: they are opened and closed when claims change (docs/rules.md C8). The row also
    has the decision by which staff settled the conflict. A reversal is a row of its own: it `replaces` the conflict of
    the earlier decision, and the same change opens and closes it.
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
