"""Notices: what participants are told by e-mail when staff settle."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from participants.models import Participant
from registry.models.changes import Change


class Notice(models.Model):
    """That a participant is told of a decision, by e-mail or else by staff.

    It is queued in the transaction of the decision. `sent_to` are the addresses for which the mail server took it, and
    `refused` those for which it never will.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waits to be sent"
        SENT = "sent", "Sent"
        BY_HAND = "by hand", "To be told by hand"
        TOLD = "told", "Told by hand"

    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="notices")
    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="+", db_index=False)
    state = models.CharField(max_length=7, choices=State.choices)
    created_at = models.DateTimeField(db_default=Now())
    tries = models.SmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    sent_to = ArrayField(models.EmailField(), default=list)
    refused = ArrayField(models.EmailField(), default=list)
    detail = models.CharField(
        max_length=500, blank=True, help_text="Why it is not sent, or how they were told"
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["change", "participant"], name="notice_once"),
            models.CheckConstraint(
                condition=models.Q(state="waiting", next_try_at__isnull=False)
                | ~models.Q(state="waiting") & models.Q(next_try_at__isnull=True),
                name="notice_waits_for_a_moment",
            ),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], name="notice_due", condition=models.Q(state="waiting")),
            models.Index(fields=["state", "-id"], name="notice_state"),
            models.Index(fields=["participant", "-id"], name="notice_participant"),
        ]

    def __str__(self) -> str:
        return f"notice {self.pk} to {self.participant}"

    @property
    def reference(self) -> str:
        """Return what the participant may quote: the number of the change of the decision, not of a conflict."""
        return f"decision {self.change_id}"
