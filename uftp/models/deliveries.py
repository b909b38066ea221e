"""Messages to be sent, with their signed bytes and the state of their delivery, and the state of their recipients."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from uftp.models.messages import InboundMessage, Sender


class OutboundMessage(models.Model):
    """A message to a participant: its signed bytes, and the state of its delivery.

    A message that is passed on has the signature and the MessageID of its sender (uftp/delivery/forwarding.py).
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        DELIVERED = "delivered", "Delivered"
        FAILED = "failed", "Failed"

    recipient_role = models.CharField(max_length=3)
    recipient_domain = models.CharField(max_length=253)
    in_reply_to = models.ForeignKey(
        InboundMessage, null=True, blank=True, on_delete=models.PROTECT, related_name="replies"
    )
    passes_on = models.ForeignKey(
        InboundMessage,
        null=True,
        blank=True,
        db_index=False,
        on_delete=models.PROTECT,
        related_name="passings",
    )
    sealed_by = models.ForeignKey(
        Sender,
        null=True,
        blank=True,
        db_index=False,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Who signed it, if it is passed on",
    )
    message_type = models.CharField(max_length=60)
    version = models.CharField(max_length=20)
    message_id = models.CharField(max_length=36)
    conversation_id = models.CharField(max_length=36)
    result = models.CharField(max_length=8, blank=True)
    reason = models.TextField(blank=True)
    sealed = models.BinaryField(help_text="The exact signed bytes: 64 bytes of signature, then the inner XML")
    size = models.PositiveIntegerField(help_text="Bytes of inner XML")
    created_at = models.DateTimeField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    claimed_until = models.DateTimeField(
        null=True,
        blank=True,
        help_text="End of a worker's lease; from this moment another worker may post it",
    )
    claims = models.PositiveIntegerField(
        db_default=0, help_text="How often workers have leased it; the number of the latest lease"
    )
    give_up_at = models.DateTimeField()
    not_before = models.DateTimeField(
        null=True, blank=True, help_text="If it is passed on: its recipient asked to wait until then"
    )
    finished_at = models.DateTimeField(null=True, blank=True)
    resent_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was last sent again; earlier attempts do not count for it"
    )

    class Meta:
        ordering = ["-id"]
        verbose_name = "sent message"
        constraints = [
            models.UniqueConstraint(
                fields=["message_id"],
                name="outbound_own_message_id",
                condition=models.Q(passes_on__isnull=True),
            ),
            models.UniqueConstraint(
                fields=["passes_on", "recipient_role", "recipient_domain"],
                name="outbound_passed_on_once",
                condition=models.Q(passes_on__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["message_id"], name="outbound_message_id", opclasses=["varchar_pattern_ops"]
            ),
            models.Index(
                fields=["next_attempt_at"], name="outbound_due", condition=models.Q(state="waiting")
            ),
            models.Index(
                fields=["recipient_role", "recipient_domain", "claimed_until"],
                name="outbound_claimed",
                condition=models.Q(state="waiting", claimed_until__isnull=False),
            ),
            models.Index(fields=["id"], name="outbound_failed", condition=models.Q(state="failed")),
            models.Index(
                fields=["conversation_id"],
                name="outbound_conversation_id",
                opclasses=["varchar_pattern_ops"],
            ),
            models.Index(fields=["recipient_role", "recipient_domain", "id"], name="outbound_recipient"),
            models.Index(
                fields=["recipient_role", "recipient_domain", "next_attempt_at", "id"],
                name="outbound_recipient_due",
                condition=models.Q(state="waiting"),
            ),
            models.Index(
                fields=["sealed_by", "recipient_role", "recipient_domain", "id"],
                name="outbound_lined_up",
                condition=models.Q(state="waiting", sealed_by__isnull=False),
            ),
            models.Index(fields=["created_at"], name="outbound_created_at"),
            models.Index(
                fields=["recipient_role", "recipient_domain", "id"],
                name="outbound_tests",
                condition=models.Q(message_type="TestMessage"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.message_type} {self.message_id}"

    @property
    def content(self) -> bytes:
        """The inner XML as it was signed."""
        return bytes(memoryview(self.sealed)[64:])


class DeliveryAttempt(models.Model):
    """One POST of an outbound message, and the reply."""

    message = models.ForeignKey(OutboundMessage, on_delete=models.CASCADE, related_name="delivery_attempts")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(db_default=Now())
    endpoint = models.CharField(max_length=500, blank=True)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    outcome = models.CharField(
        max_length=9,
        choices=[
            ("delivered", "Delivered"),
            ("temporary", "Temporary failure"),
            ("permanent", "Permanent failure"),
        ],
    )
    detail = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.outcome} at {self.started_at:%Y-%m-%d %H:%M:%S}"


class CircuitBreaker(models.Model):
    """The circuit breaker of one recipient, which a permanent refusal opens (uftp/delivery/circuits.py).

    While it is open, one message at a time is tried, and the others wait. A delivery closes it. A recipient that has
    never refused a message has no row.
    """

    class State(models.TextChoices):
        OPEN = "open", "One message at a time"
        CLOSED = "closed", "Delivering"

    role = models.CharField("recipient's role", max_length=3)
    domain = models.CharField("recipient", max_length=253)
    state = models.CharField(max_length=6, choices=State.choices)
    opened_at = models.DateTimeField()
    refusals = models.PositiveIntegerField(help_text="Permanent refusals since it opened")
    next_trial_at = models.DateTimeField()
    message = models.ForeignKey(
        OutboundMessage, on_delete=models.PROTECT, related_name="+", help_text="The message that opened it"
    )
    detail = models.TextField("latest refusal")

    class Meta:
        ordering = ["-id"]
        verbose_name = "paused recipient"
        constraints = [models.UniqueConstraint(fields=["role", "domain"], name="circuit_breaker_recipient")]

    def __str__(self) -> str:
        return f"{self.role} {self.domain}"
