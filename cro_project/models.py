"""The tables of what belongs to no single layer: invitations of staff."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class Invitation(models.Model):
    """A link by which a member of staff sets their password, once and for a day.

    The token of the link is not stored, only its hash.
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    token_hash = models.BinaryField(max_length=32, unique=True, help_text="SHA-256 of the token")
    made_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"invitation of {self.user}"
