"""The tables of messages, received and to be sent, with their signed bytes and their state."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now

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
        constraints = [models.UniqueConstraint(fields=["role", "domain"], name="circuit_breaker_recipient")]

    def __str__(self) -> str:
        return f"{self.role} {self.domain}"


class Refusal(models.Model):
    """A refused request: a POST that did not become a message. It is stored for some days, for staff.

    `role` and `domain` are those in the envelope. They are proven only if `verified`.
    """

    at = models.DateTimeField("refused at")
    address = models.CharField(max_length=45, blank=True, help_text="Address that the request came from")
    role = models.CharField(max_length=3)
    domain = models.CharField(max_length=253)
    major = models.SmallIntegerField(help_text="Major version in the path that it was posted to")
    status = models.PositiveSmallIntegerField(help_text="HTTP status of the answer")
    line = models.CharField("answer", max_length=510)
    size = models.PositiveBigIntegerField(help_text="Bytes of the request's body")
    verified = models.BooleanField(
        "signature verified", help_text="Whether the signature is the claimed sender's"
    )
    content = models.BinaryField(
        null=True, help_text="Beginning of the inner XML, if the signature is verified"
    )
    content_size = models.PositiveBigIntegerField(null=True, help_text="Bytes of the whole inner XML")

    class Meta:
        ordering = ["-id"]
        verbose_name = "refused request"
        verbose_name_plural = "refused requests"
        indexes = [
            models.Index(fields=["role", "domain", "id"], name="refusal_claimed_sender"),
            models.Index(fields=["at"], name="refusal_at"),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.domain}: refused with {self.status}"


class UnknownSender(models.Model):
    """A sender that this CRO has no key of, and how often it was refused. There are 1,000 at most.

    Anybody can write any role and domain into an envelope: nothing here is proven.
    """

    role = models.CharField(max_length=3)
    domain = models.CharField(max_length=253)
    address = models.CharField(
        max_length=45, blank=True, help_text="Address that its latest request came from"
    )
    network = models.CharField(
        max_length=45,
        editable=False,
        help_text="The address that its first request came from; of IPv6 the /64",
    )
    line = models.CharField("latest answer", max_length=510)
    requests = models.PositiveBigIntegerField()
    first_at = models.DateTimeField("first request")
    last_at = models.DateTimeField("latest request")

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["role", "domain"], name="unknown_sender_once")]
        indexes = [
            models.Index(fields=["-last_at"], name="unknown_sender_last_at"),
            models.Index(fields=["-requests"], name="unknown_sender_requests"),
            models.Index(fields=["network"], name="unknown_sender_network"),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.domain}"


class OtherUnknownSenders(models.Model):
    """How many requests came from unknown senders that have no row of their own. The table has one row at most."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    requests = models.PositiveBigIntegerField()
    last_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="other_unknown_senders_once")]

    def __str__(self) -> str:
        return f"{self.requests} requests of other unknown senders"


class MessageSearch(models.Model):
    """A search for a text in the XML of one sender's messages of some days, done by a worker.

    A worker first writes down which messages it is about. A search that was interrupted goes on after those that are
    `read`. `found` are the primary keys of the messages that have the text.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waits for a worker"
        RUNNING = "running", "Under way"
        DONE = "done", "Done"
        CUT = "cut", "Ended at its limit"

    sender = models.ForeignKey(Sender, on_delete=models.PROTECT, related_name="+")
    text = models.CharField(max_length=600)
    first_day = models.DateField()
    last_day = models.DateField()
    begin = models.DateTimeField(help_text="Beginning of the first day")
    end = models.DateTimeField(help_text="End of the last day")
    actor = models.CharField(max_length=150)
    state = models.CharField(max_length=7, choices=State.choices, default=State.WAITING)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    messages = ArrayField(
        models.BigIntegerField(),
        null=True,
        help_text="Primary keys of the messages to read; null: not known yet",
    )
    total = models.PositiveIntegerField(default=0, help_text="Messages to read")
    read = models.PositiveIntegerField(default=0, help_text="Messages read so far")
    read_bytes = models.BigIntegerField(default=0)
    found = ArrayField(models.BigIntegerField(), default=list)

    class Meta:
        ordering = ["-id"]
        verbose_name = "search in messages"
        verbose_name_plural = "searches in messages"
        indexes = [
            models.Index(
                fields=["id"],
                name="message_search_unfinished",
                condition=models.Q(state__in=("waiting", "running")),
            )
        ]

    def __str__(self) -> str:
        return f"search {self.pk}"
