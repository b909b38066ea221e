"""Add, rotate, change and end the keys of participants. Every change goes into the audit trail.

A value that is not allowed raises ValidationError, with the field, the reason and the remedy.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.text import capfirst

from participants import edits
from participants.edits import require_reason
from participants.keys import InvalidKey, parse_public_key
from participants.models import Participant, PublicKey


@transaction.atomic
def add_key(
    participant: Participant,
    text: str,
    *,
    actor: str,
    now: datetime,
    begins: datetime | None = None,
    reason: str = "",
) -> PublicKey:
    """Add the key with the published text `text` to `participant`, beside its other keys, and return it.

    A key that is valid without an end already is not changed. A key that was withdrawn becomes valid again.

    Args:
        participant: Whose key it is.
        text: The published text of the key.
        actor: Who adds it, for the audit trail.
        now: An aware moment.
        begins: When the key becomes valid (aware); at once without it. The first key then has no beginning.
        reason: Why, for the audit trail.
    """
    try:
        value = parse_public_key(text)
    except InvalidKey as wrong:
        raise ValidationError({"public_key": f"{capfirst(str(wrong))}."}) from None
    lock_participant(pk=participant.pk)
    key = participant.keys.filter(value=value).first()
    if key is None:
        key = PublicKey(participant=participant, text=text, valid_from=begins)
    elif key.is_valid_at(now):
        key.valid_until = None
    else:
        key.valid_from, key.valid_until = begins or now, None
    _save_key(key, actor=actor, now=now, reason=reason)
    return key


@transaction.atomic
def rotate_key(
    participant: Participant,
    text: str,
    *,
    begins: datetime | None,
    overlap: timedelta,
    actor: str,
    now: datetime,
    reason: str,
) -> PublicKey:
    """Replace the keys of `participant` by the key with the published text `text`.

    Args:
        participant: Whose key it is.
        text: The published text of the key.
        begins: When the key becomes valid (aware); at once without it.
        overlap: How long the other keys stay valid after that. A key that ends earlier is not changed.
        actor: Who rotates the keys, for the audit trail.
        now: An aware moment.
        reason: Why, for the audit trail.
    """
    require_reason("a new key", reason)
    lock_participant(pk=participant.pk)
    key = add_key(participant, text, actor=actor, now=now, begins=begins, reason=reason)
    end = max(begins or now, now) + overlap
    for other in participant.keys.exclude(pk=key.pk):
        end_key(other, end, actor=actor, now=now, reason=reason)
    return key


@transaction.atomic
def end_key(key: PublicKey, end: datetime, *, actor: str, now: datetime, reason: str = "") -> None:
    """End the validity of `key` at `end`, exclusive. A key that ends earlier is not changed."""
    lock_participant(pk=key.participant_id)
    key.refresh_from_db()
    edits.end_validity(key, end)
    _save_key(key, actor=actor, now=now, reason=reason)


def withdraw_key(key: PublicKey, *, actor: str, now: datetime, reason: str = "") -> None:
    """End the validity of `key` at `now`. A key that has ended is not changed."""
    end_key(key, now, actor=actor, now=now, reason=reason)


@transaction.atomic
def change_key(
    key: PublicKey,
    values: Mapping[str, datetime | None],
    *,
    expected: str,
    actor: str,
    now: datetime,
    reason: str,
) -> None:
    """Change `valid_from`, `valid_until` or both of `key` to the moments in `values`.

    Args:
        key: The key to change.
        values: The new moments, by field.
        expected: The `validity_token` on which the change is based.
        actor: Who makes the change, for the audit trail.
        now: An aware moment.
        reason: Why, for the audit trail.

    Raises:
        ValidationError: The `validity_token` is no longer `expected`, or a moment is not allowed.
    """
    lock_participant(pk=key.participant_id)
    key.refresh_from_db()
    if expected != validity_token(key):
        raise ValidationError(
            "Meanwhile somebody else has changed when this key is valid. Open the page again, and try again."
        )
    for field, moment in values.items():
        setattr(key, field, moment)
    _save_key(key, actor=actor, now=now, reason=reason)


def validity_token(key: PublicKey) -> str:
    """Return from when until when `key` is valid, as one text, to compare with."""
    return " – ".join(edits.validity_in_words(key).values())


def _save_key(key: PublicKey, *, actor: str, now: datetime, reason: str) -> None:
    """Check and save `key`, under the lock of its participant.

    A new key without a beginning becomes valid at `now`. The first key of a participant has no beginning, unless it was
    another participant's key before.
    """
    stored = PublicKey.objects.filter(pk=key.pk).first() if key.pk else None
    if stored is None:
        edits.start_validity(
            key, first=not (_belonged_to_another(key) or key.participant.keys.exists()), now=now
        )
    key.full_clean(exclude=["value"])
    before = edits.validity_in_words(stored) if stored else None
    if before != edits.validity_in_words(key):
        key.save()
        edits.key_entry(key, before, actor, reason).save()


def _belonged_to_another(key: PublicKey) -> bool:
    """Return whether the key in `key.text` was another participant's. False if the text is no key."""
    try:
        value = parse_public_key(key.text)
    except InvalidKey:
        return False
    others = PublicKey.objects.filter(value=value, valid_until__isnull=False)
    return others.exclude(participant=key.participant_id).exists()


def lock_participant(**which: object) -> Participant | None:
    """Lock a participant and return it, so that no other change of it or of its keys runs at the same time.

    Rows of other tables can refer to it meanwhile.
    """
    return Participant.objects.select_for_update(no_key=True).filter(**which).first()
