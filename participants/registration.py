"""Register and change participants, their keys and the mode. Every change goes into the audit trail.

The commands, the admin and imports use these functions. A value that is not allowed raises ValidationError, with the
field, the reason and the remedy.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction
from django.utils.text import capfirst

from participants import audit, edits
from participants.edits import FIELDS, Values, require_reason
from participants.keys import InvalidKey, parse_public_key
from participants.models import Mode, Participant, PublicKey


@transaction.atomic
def add_or_update_participant(
    *,
    role: str,
    domain: str,
    actor: str,
    now: datetime,
    public_key: str | None = None,
    replace_keys: bool = False,
    endpoint: str | None = None,
    name: str | None = None,
    standing: str | None = None,
    placeholders: bool | None = None,
    reason: str = "",
) -> tuple[Participant, bool]:
    """Add or update the participant (role, domain). Return it, and whether it was added.

    None leaves a value unchanged. A new participant is authorized unless `standing` is given.

    Args:
        role: `AGR` or `DSO`.
        domain: In lower case.
        actor: Who makes the change, for the audit trail.
        now: An aware moment.
        public_key: Its published text. It is added if it is not valid for the participant at `now`.
        replace_keys: End the other keys at once. Otherwise they stay valid, for a rotation.
        endpoint: The URL for messages to the participant.
        name: What staff call the participant.
        standing: The participant's standing; a change needs a `reason`.
        placeholders: Whether empty responses get a placeholder.
        reason: Why, for the audit trail.
    """
    participant = _locked(role=role, domain=domain)
    stated = {"endpoint": endpoint, "name": name, "standing": standing, "placeholders": placeholders}
    values = {field: value for field, value in stated.items() if value is not None}
    added = participant is None
    if participant is None:
        participant = Participant(role=role, domain=domain, **values)
        add_participant(participant, actor=actor, reason=reason)
    else:
        change_participant(participant, values, actor=actor, reason=reason)
    if replace_keys and public_key is None:
        raise ValidationError({"public_key": "Give the key that replaces the others."})
    if public_key is not None:
        key = add_key(participant, public_key, actor=actor, now=now, reason=reason)
        if replace_keys:
            for other in participant.keys.valid_at(now).exclude(pk=key.pk):
                withdraw_key(other, actor=actor, now=now, reason=reason or "replaced")
    return participant, added


@transaction.atomic
def add_participant(participant: Participant, *, actor: str, reason: str = "") -> None:
    """Check and save the new row `participant`."""
    participant.full_clean()
    participant.save()
    edits.participant_entry(participant, None, actor, reason).save()


@transaction.atomic
def change_participant(
    participant: Participant,
    values: Values,
    *,
    actor: str,
    reason: str = "",
    expected: Values | None = None,
) -> None:
    """Set the fields of `participant` to `values`. Do nothing if they have these values already.

    Afterwards `participant` has the stored values. A change of standing needs a `reason`.

    Args:
        participant: The row to change.
        values: The new values, by field.
        actor: Who makes the change, for the audit trail.
        reason: Why, for the audit trail.
        expected: The values on which the change is based. If another user has changed one of them since, the change
            is refused.
    """
    stored = lock_and_check(participant, values, expected)
    before = edits.apply_values(stored, values, reason=reason)
    if before:
        stored.save(update_fields=list(before))
        edits.participant_entry(stored, before, actor, reason).save()
    for field in FIELDS:
        setattr(participant, field, getattr(stored, field))


def lock_and_check(participant: Participant, values: Values, expected: Values | None = None) -> Participant:
    """Lock the row of `participant` until the caller's transaction ends, and return it.

    Raises:
        ValidationError: The stored value of a field of `values` is neither the expected one nor the new one.
    """
    stored = Participant.objects.select_for_update(no_key=True).get(pk=participant.pk)
    meanwhile = {
        field: f"Meanwhile somebody else has changed this to: {_in_words(stored, field)}. "
        "Open the page again, and try again."
        for field in values
        if expected is not None and getattr(stored, field) not in (expected.get(field), values[field])
    }
    if meanwhile:
        raise ValidationError(meanwhile)
    return stored


def set_standing(
    participant: Participant, standing: str, *, actor: str, reason: str, expected: str | None = None
) -> None:
    """Set the standing of `participant`, for `reason`. With `expected`, only if that is the present standing."""
    change_participant(
        participant,
        {"standing": standing},
        actor=actor,
        reason=reason,
        expected=None if expected is None else {"standing": expected},
    )


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
    _lock(participant.pk)
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
    _lock(participant.pk)
    key = add_key(participant, text, actor=actor, now=now, begins=begins, reason=reason)
    end = max(begins or now, now) + overlap
    for other in participant.keys.exclude(pk=key.pk):
        end_key(other, end, actor=actor, now=now, reason=reason)
    return key


@transaction.atomic
def end_key(key: PublicKey, end: datetime, *, actor: str, now: datetime, reason: str = "") -> None:
    """End the validity of `key` at `end`, exclusive. A key that ends earlier is not changed."""
    _lock(key.participant_id)
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
    _lock(key.participant_id)
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


@transaction.atomic
def set_mode(value: str, *, actor: str, reason: str) -> None:
    """Set the mode to `open` or `closed`, for `reason`. Do nothing if this is the mode already."""
    mode = Mode.objects.select_for_update(no_key=True).filter(pk=1).first() or Mode()
    before, mode.value = mode.value, value
    mode.full_clean(validate_unique=False)
    if before != value:
        require_reason(f"the change of mode from {before} to {value}", reason)
        mode.save()
        audit.record(actor, "set mode", "mode", {"mode": before}, {"mode": value}, reason, about=mode)


def error_in_one_line(error: ValidationError) -> str:
    """Return `error` in one line: each field with its error."""
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return " ".join(
        " ".join(texts) if field == NON_FIELD_ERRORS else f"{_NAMES.get(field, field)}: {' '.join(texts)}"
        for field, texts in error.message_dict.items()
    )


_NAMES = {"text": "public key", "public_key": "public key"}


def _locked(**which: object) -> Participant | None:
    """Lock a participant, so that no other change of it or of its keys runs at the same time.

    Rows of other tables can refer to it meanwhile.
    """
    return Participant.objects.select_for_update(no_key=True).filter(**which).first()


def _lock(participant: int) -> None:
    _locked(pk=participant)


def _in_words(participant: Participant, field: str) -> str:
    value = getattr(participant, field)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) or "empty"


def _belonged_to_another(key: PublicKey) -> bool:
    """Return whether the key in `key.text` was another participant's. False if the text is no key."""
    try:
        value = parse_public_key(key.text)
    except InvalidKey:
        return False
    others = PublicKey.objects.filter(value=value, valid_until__isnull=False)
    return others.exclude(participant=key.participant_id).exists()
