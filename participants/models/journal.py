"""The contacts of a participant, and the journal of staff about a participant, a conflict or a contract."""

from __future__ import annotations

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from participants.models.about import AboutQuerySet
from participants.models.participants import CONTROL, Participant


class Contact(models.Model):
    """Somebody at a participant whom staff can reach, and who is told of decisions."""

    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="contacts")
    name = models.CharField(max_length=200)
    purpose = models.CharField(
        max_length=100, help_text="What this contact is for, such as “conflicts” or “at night”"
    )
    email = models.EmailField("e-mail", blank=True)
    telephone = models.CharField(max_length=50, blank=True)
    is_told = models.BooleanField(
        "is told of decisions",
        default=True,
        help_text="Gets an e-mail when staff settle a conflict of this participant",
    )

    class Meta:
        ordering = ["participant", "id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(email="") | ~Q(telephone=""),
                name="contact_can_be_reached",
                violation_error_message="Give an e-mail address or a telephone number.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.purpose})"

    def clean(self) -> None:
        """Raise ValidationError where a field is not one line of text."""
        wrong = {
            field: "This holds a line break or another control character; give one line of text."
            for field in ("name", "purpose", "email", "telephone")
            if CONTROL.search(getattr(self, field))
        }
        if wrong:
            raise ValidationError(wrong)


class JournalEntry(models.Model):
    """A comment of staff about an object (a participant, a conflict or a contract), or a change of its follow-up.

    `participants` are the primary keys of those whom the object concerns. An entry is never edited. A comment that is
    removed keeps who wrote it, and loses its text and its attachments. A change of the follow-up is not removed.
    """

    content_type = models.ForeignKey(ContentType, on_delete=models.PROTECT, related_name="+", db_index=False)
    object_pk = models.CharField(max_length=40)
    moment = models.DateTimeField(db_default=Now())
    author = models.CharField(max_length=150)
    text = models.TextField()
    is_follow_up = models.BooleanField(
        default=False, db_default=False, help_text="It says how the follow-up changed; it is no comment"
    )
    participants = ArrayField(models.BigIntegerField())
    removed_by = models.CharField(max_length=150, blank=True, default="")
    removed_at = models.DateTimeField(null=True)

    objects = AboutQuerySet["JournalEntry"].as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "journal entries"
        indexes = [
            models.Index(fields=["content_type", "object_pk", "-id"], name="journal_object"),
            GinIndex(fields=["participants"], name="journal_participants", fastupdate=False),
        ]

    def __str__(self) -> str:
        return f"entry {self.pk}"


class Attachment(models.Model):
    """A file of a journal entry. It is only ever sent as a download."""

    entry = models.ForeignKey(JournalEntry, on_delete=models.CASCADE, related_name="attachments")
    name = models.CharField(max_length=200)
    size = models.IntegerField(help_text="In bytes")
    content = models.BinaryField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name


class FollowUp(models.Model):
    """Who looks after an object of the journal, and until which day it waits; there is none without either."""

    content_type = models.ForeignKey(ContentType, on_delete=models.PROTECT, related_name="+", db_index=False)
    object_pk = models.CharField(max_length=40)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    wait_until = models.DateField(null=True, blank=True)
    participants = ArrayField(models.BigIntegerField())

    objects = AboutQuerySet["FollowUp"].as_manager()

    class Meta:
        ordering = ["wait_until", "id"]
        constraints = [
            models.UniqueConstraint(fields=["content_type", "object_pk"], name="follow_up_of_object"),
            models.CheckConstraint(
                condition=Q(assignee__isnull=False) | Q(wait_until__isnull=False),
                name="follow_up_says_something",
            ),
        ]
        indexes = [GinIndex(fields=["participants"], name="follow_up_participants", fastupdate=False)]

    def __str__(self) -> str:
        return f"follow-up {self.pk}"
