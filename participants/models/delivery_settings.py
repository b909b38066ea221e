"""What participants demand of deliveries: an access token, a client certificate, or both."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from participants.certificates import PRIVATE_KEY
from participants.models.participants import Participant


class DeliverySettings(models.Model):
    """What a participant demands of deliveries besides the signature. The secrets are encrypted (CREDENTIALS_KEY).

    A row has a token URL with the client's id and secret, or a client certificate with its key, or both.
    """

    participant = models.OneToOneField(
        Participant, primary_key=True, on_delete=models.CASCADE, related_name="delivery_settings"
    )
    token_url = models.CharField("token URL", max_length=500, blank=True)
    client_id = models.CharField("client id", max_length=500, blank=True)
    client_secret = models.TextField(blank=True, editable=False, help_text="Encrypted")
    scope = models.CharField(max_length=500, blank=True)
    secret_in_body = models.BooleanField(default=False)
    client_certificate = models.TextField(blank=True, help_text="PEM, the certificate first, then its chain")
    client_key = models.TextField(blank=True, editable=False, help_text="Encrypted")
    changed_at = models.DateTimeField(editable=False)

    class Meta:
        verbose_name_plural = "delivery settings"
        constraints = [
            models.CheckConstraint(
                condition=Q(token_url="") | ~Q(client_id="") & ~Q(client_secret=""),
                name="delivery_settings_token_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(client_certificate="") | ~Q(client_key=""),
                name="delivery_settings_certificate_is_whole",
            ),
            models.CheckConstraint(
                condition=~Q(client_certificate__contains=PRIVATE_KEY),
                name="delivery_settings_certificate_without_key",
            ),
        ]

    def __str__(self) -> str:
        return f"delivery settings of {self.participant_id}"
