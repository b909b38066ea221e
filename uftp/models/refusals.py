"""Requests that did not become messages, and senders of which this CRO has no key."""

from __future__ import annotations

from django.db import models


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
    site = models.CharField(
        max_length=45,
        editable=False,
        db_default="",
        help_text="The network of that address's site: the /24, of IPv6 the /48",
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
            models.Index(fields=["site"], name="unknown_sender_site"),
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
