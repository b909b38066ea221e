"""Who may talk to this CRO: participants, their public keys, the mode, and the audit trail of staff."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models.functions import Now


class Role(models.TextChoices):
    """The roles that a participant plays towards a CRO (docs/protocol-support.md, Roles)."""

    AGR = "AGR", "Aggregator (AGR)"
    DSO = "DSO", "Distribution system operator (DSO)"


class Standing(models.TextChoices):
    """What the operator thinks of a participant; `participants.admission.admit` says what follows."""

    KNOWN = "known", "Known"
    AUTHORIZED = "authorized", "Authorized"
    SUSPENDED = "suspended", "Suspended"
    BARRED = "barred", "Barred"


class Participant(models.Model):
    """One (role, domain) that exchanges messages with this CRO."""

    role = models.CharField(max_length=3, choices=Role.choices)
    domain = models.CharField(max_length=253, help_text="Internet domain in lower case, such as agr.example")
    name = models.CharField(max_length=200, blank=True)
    endpoint = models.URLField(
        max_length=500, blank=True, help_text="Where messages to it are posted; empty: found by discovery"
    )
    standing = models.CharField(max_length=10, choices=Standing.choices, default=Standing.AUTHORIZED)
    placeholders = models.BooleanField(
        default=True,
        help_text="Answer empty portfolio queries with a placeholder that its library's schema accepts",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    last_heard_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["role", "domain"]
        constraints = [
            models.UniqueConstraint(fields=["role", "domain"], name="participant_role_domain"),
            models.CheckConstraint(
                condition=models.Q(domain__regex=r"^([a-z0-9]+(-[a-z0-9]+)*\.)+[a-z]{2,}$"),
                name="participant_domain_form",
                violation_error_message="A domain is lower-case labels joined by dots, such as agr.example.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.domain}"


class PublicKeyQuerySet(models.QuerySet["PublicKey"]):
    def valid_at(self, moment: datetime) -> PublicKeyQuerySet:
        """Keys that may verify a signature at `moment` (aware)."""
        return self.filter(
            models.Q(valid_from__lte=moment)
            & (models.Q(valid_until__isnull=True) | models.Q(valid_until__gt=moment))
        )


class PublicKey(models.Model):
    """An Ed25519 signature key of a participant; several are valid at once while it rotates."""

    participant = models.ForeignKey(Participant, on_delete=models.CASCADE, related_name="keys")
    text = models.CharField("public key", max_length=100, help_text="cs1.… as the participant publishes it")
    valid_from = models.DateTimeField(db_default=Now())
    valid_until = models.DateTimeField(null=True, blank=True, help_text="Empty: until it is withdrawn")

    objects = PublicKeyQuerySet.as_manager()

    class Meta:
        ordering = ["participant", "valid_from", "id"]
        constraints = [
            models.UniqueConstraint(fields=["participant", "text"], name="public_key_once_per_participant")
        ]

    def __str__(self) -> str:
        return f"{self.text[:12]}… of {self.participant}"


class Mode(models.Model):
    """The one row that says whether the CRO is open or closed."""

    OPEN, CLOSED = "open", "closed"

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    value = models.CharField(
        max_length=6, choices=[(OPEN, "Open"), (CLOSED, "Closed")], default=OPEN, verbose_name="mode"
    )

    class Meta:
        verbose_name_plural = "mode"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="mode_has_one_row")]

    def __str__(self) -> str:
        return self.get_value_display()


class AuditEntry(models.Model):
    """One thing that staff or a command changed, with who, why, before and after; never edited."""

    moment = models.DateTimeField(db_default=Now())
    actor = models.CharField(max_length=150)
    action = models.CharField(max_length=100)
    subject = models.CharField(max_length=600)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.action}: {self.subject}"
