"""Received messages, with their signed bytes and their state, and their senders."""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex
from django.db import models

from common.search import word_vector


class Sender(models.Model):
    """A sender of messages. Its row lock keeps workers from handling its messages at the same time."""

    role = models.CharField(max_length=3)
    domain = models.CharField(max_length=253)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["role", "domain"], name="sender_role_domain")]

    def __str__(self) -> str:
        return f"{self.role} {self.domain}"


class InboundMessage(models.Model):
    """A received message. It was verified, validated and stored before its 200 was sent."""

    class State(models.TextChoices):
        RECEIVED = "received", "Waiting"
        PROCESSED = "processed", "Processed"
        SET_ASIDE = "set aside", "Set aside"

    sender = models.ForeignKey(Sender, on_delete=models.PROTECT, related_name="messages")
    message_type = models.CharField(max_length=60)
    version = models.CharField(max_length=20)
    major = models.SmallIntegerField(help_text="Major version in the path that it was posted to")
    message_id = models.CharField(max_length=36, help_text="In lower case")
    conversation_id = models.CharField(max_length=36)
    content_hash = models.BinaryField(max_length=32, help_text="SHA-256 of the inner XML")
    sealed = models.BinaryField(help_text="The exact signed bytes: 64 bytes of signature, then the inner XML")
    size = models.PositiveIntegerField(help_text="Bytes of inner XML")
    received_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.RECEIVED)
    result = models.CharField(max_length=8, blank=True)
    reason = models.TextField(blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    holds_message_id = models.BooleanField(
        db_default=False,
        help_text="Whether it was handled first of those with its MessageID; the others are duplicates",
    )
    setbacks = models.PositiveSmallIntegerField(
        db_default=0, help_text="Minutes of lost races or database errors, in a row"
    )
    last_setback_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)
    processed_at = models.DateTimeField(null=True, blank=True)
    last_copy_at = models.DateTimeField(
        null=True, blank=True, help_text="When an identical copy was last answered"
    )

    class Meta:
        ordering = ["-id"]
        verbose_name = "received message"
        constraints = [
            models.UniqueConstraint(
                fields=["sender", "message_id", "content_hash"], name="inbound_message_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["sender", "id"], name="inbound_waiting", condition=models.Q(state="received")
            ),
            models.Index(fields=["id"], name="inbound_set_aside", condition=models.Q(state="set aside")),
            models.Index(fields=["id"], name="inbound_rejected", condition=models.Q(result="Rejected")),
            models.Index(fields=["message_id"], name="inbound_message_id", opclasses=["varchar_pattern_ops"]),
            models.Index(
                fields=["conversation_id"], name="inbound_conversation_id", opclasses=["varchar_pattern_ops"]
            ),
            GinIndex(word_vector("reason"), name="inbound_reason_words", condition=~models.Q(reason="")),
            models.Index(fields=["received_at"], name="inbound_received_at"),
        ]

    def __str__(self) -> str:
        return f"{self.message_type} {self.message_id}"

    @property
    def content(self) -> bytes:
        """The inner XML as it was signed."""
        return bytes(memoryview(self.sealed)[64:])
