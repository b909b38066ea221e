"""Participants, their public keys, the mode, and what is counted of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.text import capfirst

from common.identifiers import DOMAIN, is_domain, odd_character
from participants.endpoints import EndpointRefused, check_endpoint
from participants.keys import PREFIX, InvalidKey, format_public_key, parse_public_key, public_key_of_seed

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Role(models.TextChoices):
    """The role of a participant (docs/protocol-support.md, Roles)."""

    AGR = "AGR", "Aggregator (AGR)"
    DSO = "DSO", "Distribution system operator (DSO)"


class ParticipantStanding(models.TextChoices):
    """A participant's standing, set by the operator. `participants.admission.admit` decides what it allows."""

    KNOWN = "known", "Known"
    AUTHORIZED = "authorized", "Authorized"
    SUSPENDED = "suspended", "Suspended"
    BARRED = "barred", "Barred"


class Participant(models.Model):
    """A party, (role, domain), that exchanges messages with this CRO."""

    role = models.CharField(max_length=3, choices=Role.choices)
    domain = models.CharField(max_length=253, help_text="Internet domain in lower case, such as agr.example")
    name = models.CharField(max_length=200, blank=True)
    endpoint = models.CharField(
        max_length=500,
        blank=True,
        help_text="URL that messages to it are posted to, such as "
        "https://uftp.agr.example/shapeshifter/api/v3/message; empty: found by discovery",
    )
    standing = models.CharField(
        max_length=10, choices=ParticipantStanding.choices, default=ParticipantStanding.AUTHORIZED
    )
    placeholders = models.BooleanField(
        default=True,
        help_text="Answer empty portfolio queries with a placeholder that its library's schema accepts",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    last_heard_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["role", "domain"]
        permissions = [
            ("see_every_participant", "Can look at every participant"),
            ("act_for_every_participant", "Can look and act for every participant"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["role", "domain"], name="participant_role_domain"),
            models.CheckConstraint(
                condition=Q(domain__regex=f"^{DOMAIN}$"),
                name="participant_domain_form",
                violation_error_message="A domain is lower-case labels joined by dots, such as agr.example.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.domain}"

    def clean(self) -> None:
        """Check domain, name and endpoint. Raise ValidationError for one that is not allowed."""
        errors = {}
        self.name = self.name.strip()
        if CONTROL.search(self.name):
            errors["name"] = (
                "This holds a line break or another control character; a name is one line of text."
            )
        if self._state.adding:
            if not is_domain(self.domain):
                lower, odd = self.domain.lower(), odd_character(self.domain)
                meant = f"; write {lower}" if is_domain(lower) else f"; it has {odd}" if odd else ""
                errors["domain"] = (
                    f"{self.domain!r} is not a domain; give lower-case labels joined by dots: agr.example{meant}."
                )
            elif self.domain == settings.CRO_DOMAIN:
                errors["domain"] = f"{self.domain} is this CRO's own domain; give the participant's."
        if self.endpoint:
            try:
                check_endpoint(self.endpoint)
            except EndpointRefused as wrong:
                errors["endpoint"] = f"{capfirst(str(wrong))}."
        if errors:
            raise ValidationError(errors)


class PublicKeyQuerySet(models.QuerySet["PublicKey"]):
    def valid_at(self, moment: datetime) -> PublicKeyQuerySet:
        """Return the keys that may verify a signature at `moment` (aware)."""
        return self.filter(
            Q(valid_from__isnull=True) | Q(valid_from__lte=moment),
            Q(valid_until__isnull=True) | Q(valid_until__gt=moment),
        )


class PublicKey(models.Model):
    """An Ed25519 signature key of a participant. Several are valid at once during a rotation.

    A key that was added without a beginning has none, so a clock that is slow cannot make it invalid.
    """

    participant = models.ForeignKey(Participant, on_delete=models.CASCADE, related_name="keys")
    text = models.CharField("public key", max_length=100, help_text="cs1.… as the participant publishes it")
    value = models.BinaryField(max_length=32, editable=False, help_text="The 32 bytes that verify signatures")
    valid_from = models.DateTimeField(null=True, blank=True, help_text="Empty: at once")
    valid_until = models.DateTimeField(null=True, blank=True, help_text="Empty: until it is withdrawn")
    added_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = PublicKeyQuerySet.as_manager()

    class Meta:
        ordering = ["participant", "id"]
        constraints = [
            models.UniqueConstraint(fields=["participant", "value"], name="public_key_once_per_participant"),
            models.CheckConstraint(
                condition=Q(valid_until__isnull=True) | Q(valid_until__gte=F("valid_from")),
                name="public_key_ends_after_it_begins",
                violation_error_message="A key cannot end before it begins.",
            ),
            ExclusionConstraint(
                name="public_key_of_one_participant_at_a_time",
                expressions=[
                    ("value", RangeOperators.EQUAL),
                    ("participant", RangeOperators.NOT_EQUAL),
                    (
                        models.Func(
                            "valid_from",
                            "valid_until",
                            function="TSTZRANGE",
                            output_field=DateTimeRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
                violation_error_message="This key is another participant's.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.text[:12]}… of {self.participant}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self._read_text()
        super().save(*args, **kwargs)

    def is_valid_at(self, moment: datetime) -> bool:
        """Return whether this key may verify a signature at `moment` (aware)."""
        return (self.valid_from is None or self.valid_from <= moment) and (
            self.valid_until is None or moment < self.valid_until
        )

    def clean(self) -> None:
        """Bring the text into its published form. Raise ValidationError for a weak or a taken key."""
        self.clean_text()
        self.check_beside(PublicKey.objects.filter(value=self.value).exclude(pk=self.pk))

    def clean_text(self) -> None:
        """Bring the text into its published form. Raise ValidationError for a weak key."""
        try:
            self._read_text()
        except InvalidKey as wrong:
            raise ValidationError({"text": f"{capfirst(str(wrong))}."}) from None
        if settings.CRO_SIGNING_KEY and self.value == public_key_of_seed(settings.CRO_SIGNING_KEY):
            raise ValidationError({"text": "This is this CRO's own public key; give the participant's."})

    def check_beside(self, others: Iterable[PublicKey]) -> None:
        """Raise ValidationError if one of `others`, rows with the same key, is valid at the same time."""
        for other in others:
            if other.participant_id == self.participant_id:
                raise ValidationError(
                    {"text": f"{self.participant} has this key already; change when it is valid."}
                )
            if self._overlaps(other):
                raise ValidationError(
                    {
                        "text": "This is the key of another participant, which a search for it among the participants "
                        "finds; each role and domain has its own: give this participant's, or withdraw the key there "
                        "first."
                    }
                )

    def _read_text(self) -> None:
        text = self.text.strip()
        self.value = parse_public_key(text)
        self.text = text if text.startswith(PREFIX) else format_public_key(self.value)

    def _overlaps(self, other: PublicKey) -> bool:
        """Return whether there is a moment at which both are valid."""
        return _begins_before(self.valid_from, other.valid_until) and _begins_before(
            other.valid_from, self.valid_until
        )


def _begins_before(begin: datetime | None, end: datetime | None) -> bool:
    return begin is None or end is None or begin < end


class Mode(models.Model):
    """The mode of this CRO, open or closed. The table has one row."""

    OPEN, CLOSED = "open", "closed"

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    value = models.CharField(
        max_length=6, choices=[(OPEN, "Open"), (CLOSED, "Closed")], default=OPEN, verbose_name="mode"
    )

    class Meta:
        verbose_name_plural = "mode"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="mode_has_one_row")]

    def __str__(self) -> str:
        return self.get_value_display()


class DailyCount(models.Model):
    """How many of something there were on a day of the market: in all, or those that concern one participant.

    `participants.daily_counts` counts, and keeps only the latest days.
    """

    participant = models.ForeignKey(
        Participant,
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        help_text="Null: all",
    )
    measure = models.CharField(max_length=40)
    day = models.DateField()
    number = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["participant", "measure", "day"], name="daily_count_once", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{self.measure} on {self.day}: {self.number}"
