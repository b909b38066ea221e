"""Change a participant or a key in memory: check the values and build the audit entry.

`participants/registration.py` stores one row at a time under its lock; `participants/imports/` stores a whole file.
"""

from collections.abc import Mapping
from datetime import datetime

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from participants import audit
from participants.models import AuditEntry, Participant, PublicKey

FIELDS = ("name", "endpoint", "standing", "placeholders")

Values = Mapping[str, str | bool]
"""Values of a participant, by field."""


def apply_values(row: Participant, values: Values, *, reason: str) -> Values:
    """Set the fields of `row` to `values`, and return the former values of the fields that changed.

    Values that do not change are not checked: they may have been stored under other settings.

    Raises:
        ValidationError: A value is not allowed, or the standing changes without a `reason`.
    """
    before = {field: getattr(row, field) for field in values if getattr(row, field) != values[field]}
    for field in before:
        setattr(row, field, values[field])
    if not before:
        return before
    try:
        row.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        faults = {
            field: texts for field, texts in error.error_dict.items() if field in {*before, NON_FIELD_ERRORS}
        }
        if faults:
            raise ValidationError(faults) from None
    if "standing" in before:
        require_reason(f"the change of standing from {before['standing']} to {values['standing']}", reason)
    return {field: value for field, value in before.items() if getattr(row, field) != value}


def require_reason(change: str, reason: str) -> None:
    """Raise ValidationError if `reason` is empty."""
    if not reason.strip():
        raise ValidationError({"reason": f"Say why: {change} is recorded with its reason."})


def start_validity(key: PublicKey, *, first: bool, now: datetime) -> None:
    """Set when a new key becomes valid, if this is not set. The first key of a participant has no beginning."""
    key.added_at = now
    if key.valid_from is None and not first:
        key.valid_from = now


def end_validity(key: PublicKey, moment: datetime) -> None:
    """End the validity of `key` at `moment`, exclusive. A key that ends earlier is not changed."""
    if key.valid_until is None or key.valid_until > moment:
        key.valid_until = max(moment, key.valid_from or moment)


def validity_in_words(key: PublicKey) -> dict[str, str]:
    """Return from when until when `key` is valid, in words."""
    return {
        "valid from": key.valid_from.isoformat() if key.valid_from else "always",
        "valid until": key.valid_until.isoformat() if key.valid_until else "it is replaced",
    }


def participant_entry(participant: Participant, before: Values | None, actor: str, reason: str) -> AuditEntry:
    """Build the audit entry of a change, without storing it. `before` is None if the participant was added."""
    fields = FIELDS if before is None else before
    return audit.build_entry(
        actor,
        "added participant" if before is None else "changed participant",
        str(participant),
        before,
        {field: getattr(participant, field) for field in fields},
        reason,
        about=participant,
        participants=[participant],
    )


def key_entry(key: PublicKey, before: Mapping[str, str] | None, actor: str, reason: str) -> AuditEntry:
    """Build the audit entry of a key, without storing it.

    Args:
        key: The key, as it is now.
        before: Its former `validity_in_words`; None if it was added.
        actor: Who made the change.
        reason: Why.
    """
    after = validity_in_words(key)
    changed = [moment for moment in after if before is None or before[moment] != after[moment]]
    return audit.build_entry(
        actor,
        "added public key" if before is None else "changed public key",
        f"{key.participant} {key.text}",
        None if before is None else {moment: before[moment] for moment in changed},
        {moment: after[moment] for moment in changed},
        reason,
        about=key.participant,
        participants=[key.participant_id],
    )
