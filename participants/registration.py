"""Register and change participants and the mode. Every change goes into the audit trail.

The commands, the admin and imports use these functions. A value that is not allowed raises ValidationError, with the
field, the reason and the remedy.
"""

from datetime import datetime

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction

from participants import audit, edits
from participants.edits import FIELDS, Values, require_reason
from participants.key_changes import add_key, lock_participant, withdraw_key
from participants.models import Mode, Participant


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
    participant = lock_participant(role=role, domain=domain)
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


def _in_words(participant: Participant, field: str) -> str:
    value = getattr(participant, field)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) or "empty"
