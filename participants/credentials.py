"""What participants demand of a delivery: an access token of OAuth 2.0, a client certificate, or both.

Secrets are stored encrypted. They are decrypted only for a delivery and for the test on the screen; the audit trail
says that one was stored, and never holds it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.text import capfirst

from participants import audit, certificates
from participants.certificates import InvalidCertificate
from participants.encryption import EncryptionFailed, decrypt, encrypt, reencrypt
from participants.endpoints import EndpointRefused, check_endpoint
from participants.models import DeliverySettings, Participant

PLAIN_FIELDS = ("token_url", "client_id", "scope", "secret_in_body", "client_certificate")
SECRET_FIELDS = ("client_secret", "client_key")

BATCH_SIZE = 500
"""How many rows `reencrypt_all` changes in one transaction."""


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """This CRO as a client of a participant's authorization server."""

    token_url: str
    client_id: str
    secret: str = field(repr=False)
    scope: str = ""
    secret_in_body: bool = False


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A client certificate with its chain, and its key: both PEM."""

    chain: str = field(repr=False)
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a participant demands, decrypted."""

    oauth: OAuthClient | None = None
    certificate: ClientCertificate | None = None


def credentials_of(participant_id: int) -> Credentials | None:
    """Return the decrypted credentials for deliveries to a participant, or None if it demands none.

    Raises:
        EncryptionFailed: A secret cannot be decrypted.
    """
    stored = DeliverySettings.objects.filter(pk=participant_id).first()
    if stored is None:
        return None
    return Credentials(
        OAuthClient(
            stored.token_url,
            stored.client_id,
            decrypt(stored.client_secret),
            stored.scope,
            stored.secret_in_body,
        )
        if stored.token_url
        else None,
        ClientCertificate(stored.client_certificate, decrypt(stored.client_key))
        if stored.client_certificate
        else None,
    )


@transaction.atomic
def change_delivery_settings(
    participant: Participant,
    values: Mapping[str, str | bool],
    *,
    secrets: Mapping[str, str],
    actor: str,
    now: datetime,
    reason: str,
    expected: str | None = None,
) -> None:
    """Change what a participant demands of deliveries.

    Args:
        participant: The participant.
        values: The new values of all PLAIN_FIELDS.
        secrets: The new secrets by name, of SECRET_FIELDS. One that is left out or empty stays. One whose token URL or
            certificate goes is deleted.
        actor: Who makes the change, for the audit trail.
        now: An aware moment.
        reason: Why, for the audit trail.
        expected: The `version_token` on which the change is based. If another user has changed them since, the change
            is refused.

    Raises:
        ValidationError: A value is not allowed, by field. It never holds a secret.
    """
    Participant.objects.select_for_update(no_key=True).get(pk=participant.pk)
    stored = DeliverySettings.objects.filter(pk=participant.pk).first()
    if expected is not None and expected != version_token(stored):
        raise ValidationError("Meanwhile somebody else has changed this. Open the page again, and try again.")
    before = _in_words(stored)
    row = stored or DeliverySettings(participant=participant)
    for name in PLAIN_FIELDS:
        setattr(row, name, values[name])
    replaced = _set_secrets(row, secrets)
    after = _in_words(row) | {
        f"{_NAMES[name]} replaced": "yes" for name in replaced if before[_NAMES[name]] != "none"
    }
    if after == before:
        return
    if not row.token_url and not row.client_certificate:
        if stored is not None:
            stored.delete()
    else:
        row.changed_at = now
        row.save()
    changed = [name for name in after if before.get(name) != after[name]]
    audit.record(
        actor,
        "changed delivery settings",
        str(participant),
        {name: before[name] for name in changed if name in before},
        {name: after[name] for name in changed},
        reason,
        about=participant,
        participants=[participant],
    )


def version_token(stored: DeliverySettings | None) -> str:
    """Return a text that differs after each change, to compare with."""
    return stored.changed_at.isoformat() if stored else ""


def reencrypt_all() -> int:
    """Encrypt every stored secret under the newest key of CREDENTIALS_KEY. Return how many participants have one.

    Raises:
        EncryptionFailed: A secret cannot be decrypted. The earlier batches stay changed; all can be read as before.
    """
    done, last = 0, 0
    while True:
        with transaction.atomic():
            rows = list(
                DeliverySettings.objects.select_for_update().filter(pk__gt=last).order_by("pk")[:BATCH_SIZE]
            )
            for row in rows:
                for name in SECRET_FIELDS:
                    if getattr(row, name):
                        setattr(row, name, reencrypt(getattr(row, name)))
            DeliverySettings.objects.bulk_update(rows, SECRET_FIELDS)
        if not rows:
            return done
        done, last = done + len(rows), rows[-1].pk


def _set_secrets(row: DeliverySettings, secrets: Mapping[str, str]) -> list[str]:
    """Check the values of `row`, and store the new secrets in it. Return the names of the new ones."""
    errors = _token_errors(row, secrets) | _certificate_errors(row, secrets)
    if errors:
        raise ValidationError(errors)
    wanted = {"client_secret": bool(row.token_url), "client_key": bool(row.client_certificate)}
    replaced = [name for name in SECRET_FIELDS if wanted[name] and secrets.get(name)]
    try:
        for name in SECRET_FIELDS:
            if name in replaced:
                setattr(row, name, encrypt(secrets[name]))
            elif not wanted[name]:
                setattr(row, name, "")
    except EncryptionFailed as failure:
        raise ValidationError({replaced[0]: f"{failure}."}) from None
    return replaced


def _token_errors(row: DeliverySettings, secrets: Mapping[str, str]) -> dict[str, str]:
    errors = {}
    if not row.token_url:
        given = [name for name in ("client_id", "scope") if getattr(row, name)]
        if given or secrets.get("client_secret"):
            errors["token_url"] = "Give the token URL, or clear the fields below it."
        return errors
    try:
        check_endpoint(row.token_url)
        if urlsplit(row.token_url).scheme != "https":
            errors["token_url"] = "A token URL is https; give its https URL."
    except EndpointRefused as refused:
        errors["token_url"] = f"{capfirst(str(refused))}."
    if not row.client_id:
        errors["client_id"] = "Give the client id that the participant has issued to this CRO."
    if not secrets.get("client_secret") and not row.client_secret:
        errors["client_secret"] = "Give the client secret."
    return errors


def _certificate_errors(row: DeliverySettings, secrets: Mapping[str, str]) -> dict[str, str]:
    key = secrets.get("client_key", "")
    if not row.client_certificate:
        return {"client_certificate": "Give the certificate of this key."} if key else {}
    if certificates.PRIVATE_KEY in row.client_certificate:
        return {"client_certificate": "This holds a private key, too; give the certificate alone."}
    try:
        certificates.describe(row.client_certificate)
    except InvalidCertificate as wrong:
        return {"client_certificate": f"{capfirst(str(wrong))}."}
    if not key and not row.client_key:
        return {"client_key": "Give the private key of the certificate."}
    try:
        certificates.check(row.client_certificate, key or decrypt(row.client_key))
    except (InvalidCertificate, EncryptionFailed) as wrong:
        return {"client_key": f"{capfirst(str(wrong))}."}
    return {}


_NAMES = {"client_secret": "client secret", "client_key": "client key"}


def _in_words(row: DeliverySettings | None) -> dict[str, str | bool]:
    """Return the values for the audit trail: of a secret, only whether one is stored."""
    row = row or DeliverySettings()
    certificate = "none"
    if row.client_certificate:
        about = certificates.describe(row.client_certificate)
        certificate = f"{about.subject}, until {about.until.isoformat()}, SHA-256 {about.fingerprint}"
    words: dict[str, str | bool] = {
        "token URL": row.token_url,
        "client id": row.client_id,
        "scope": row.scope,
        "client secret in the body": row.secret_in_body,
        "client certificate": certificate,
    }
    words.update({_NAMES[name]: "stored" if getattr(row, name) else "none" for name in SECRET_FIELDS})
    return words
