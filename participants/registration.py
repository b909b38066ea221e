"""Register and change participants, their keys and the mode. Every change goes into the audit trail.

The command line, the admin and imports all come through here: what may not be raises ValidationError, naming
the field, what is wrong with it and what to give.
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
    """The participant (role, domain) with the values given, and whether it was added.

    None leaves a value as it is; one that is added is authorized unless `standing` says otherwise. A
    `public_key` (its published text) that is not valid for it at `now` is added; its other keys stay valid,
    for a rotation, unless `replace_keys` ends them at once. A change of standing needs a `reason`.
    """
    participant = _locked(role=role, domain=domain)
    given = {"endpoint": endpoint, "name": name, "standing": standing, "placeholders": placeholders}
    values = {field: value for field, value in given.items() if value is not None}
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
    """Check and save `participant`, a row that is not stored yet."""
    participant.full_clean()
    participant.save()
    edits.participant_entry(participant, None, actor, reason).save()


@transaction.atomic
def change_participant(
    participant: Participant,
    given: Values,
    *,
    actor: str,
    reason: str = "",
    was: Values | None = None,
) -> None:
    """Give `participant` the values `given`, by field; what else is stored of it stays as others left it.

    Nothing happens where they are stored already. With `was`, what they were when it was decided, it is refused to
    overwrite what another has changed since: see `hold`. A change of standing needs a `reason`. The row that was
    handed over is left with what is stored.
    """
    stored = hold(participant, given, was)
    before = edits.give(stored, given, reason=reason)
    if before:
        stored.save(update_fields=list(before))
        edits.participant_entry(stored, before, actor, reason).save()
    for field in FIELDS:
        setattr(participant, field, getattr(stored, field))


def hold(participant: Participant, given: Values, was: Values | None = None) -> Participant:
    """What is stored of `participant`, locked until the caller's transaction ends.

    Raises ValidationError where one of the `given` values would overwrite another than it `was`.
    """
    stored = Participant.objects.select_for_update(no_key=True).get(pk=participant.pk)
    meanwhile = {
        field: f"Meanwhile somebody else has changed this to: {_in_words(stored, field)}. "
        "Open the page again, and decide anew."
        for field in given
        if was is not None and getattr(stored, field) not in (was.get(field), given[field])
    }
    if meanwhile:
        raise ValidationError(meanwhile)
    return stored


def set_standing(
    participant: Participant, standing: str, *, actor: str, reason: str, was: str | None = None
) -> None:
    """Give `participant` the standing `standing`, for `reason`; with `was`, only where it has that one still."""
    expected = None if was is None else {"standing": was}
    change_participant(participant, {"standing": standing}, actor=actor, reason=reason, was=expected)


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
    """The key with the published text `text`, valid for `participant` beside its other keys.

    It is valid from the moment `begins` on, at once without it; the first key has no beginning then. One that is valid
    without an end already stays as it is; one that was withdrawn is valid again from `begins`, or `now`, on.
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
    """Have the key with the published text `text` take the place of the participant's others.

    It is valid from `begins` on, at once without it. The others stay valid beside it for `overlap`, and end then
    where they do not end earlier; zero: they end at the moment from which it is valid.
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
    """Have `key` verify no signature from `end` on. One that ends earlier stays as it is."""
    _lock(key.participant_id)
    key.refresh_from_db()
    edits.end(key, end)
    _save_key(key, actor=actor, now=now, reason=reason)


def withdraw_key(key: PublicKey, *, actor: str, now: datetime, reason: str = "") -> None:
    """End `key` at `now`. One that has ended stays as it is."""
    end_key(key, now, actor=actor, now=now, reason=reason)


@transaction.atomic
def change_key(
    key: PublicKey, given: Mapping[str, datetime | None], *, was: str, actor: str, now: datetime, reason: str
) -> None:
    """Give `key` the moments `given`, `valid_from`, `valid_until` or both.

    `was` is what `validity` said when that was decided. Raises ValidationError where it says something else by then.
    """
    _lock(key.participant_id)
    key.refresh_from_db()
    if was != validity(key):
        raise ValidationError(
            "Meanwhile somebody else has changed when this key is valid. Open the page again, and decide anew."
        )
    for field, moment in given.items():
        setattr(key, field, moment)
    _save_key(key, actor=actor, now=now, reason=reason)


def validity(key: PublicKey) -> str:
    """From when until when `key` is valid, as one text that differs whenever they do."""
    return " – ".join(edits.span(key).values())


def _save_key(key: PublicKey, *, actor: str, now: datetime, reason: str) -> None:
    """Check and save `key` as it stands, under the lock of its participant.

    One that is added without a beginning begins `now`; the first of its participant has none, unless it was another
    participant's before.
    """
    stored = PublicKey.objects.filter(pk=key.pk).first() if key.pk else None
    if stored is None:
        edits.begin(key, first=not (_was_anothers(key) or key.participant.keys.exists()), now=now)
    key.full_clean(exclude=["value"])
    before = edits.span(stored) if stored else None
    if before != edits.span(key):
        key.save()
        edits.key_entry(key, before, actor, reason).save()


@transaction.atomic
def set_mode(value: str, *, actor: str, reason: str) -> None:
    """Open or close the CRO (`open`, `closed`), for `reason`; nothing happens where it is so already."""
    mode = Mode.objects.select_for_update(no_key=True).filter(pk=1).first() or Mode()
    before, mode.value = mode.value, value
    mode.full_clean(validate_unique=False)
    if before != value:
        require_reason(f"the change of mode from {before} to {value}", reason)
        mode.save()
        audit.note(actor, "set mode", "mode", {"mode": before}, {"mode": value}, reason, about=mode)


def explain(error: ValidationError) -> str:
    """`error` in one line: each field with what is wrong with it."""
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return " ".join(
        " ".join(texts) if field == NON_FIELD_ERRORS else f"{_NAMES.get(field, field)}: {' '.join(texts)}"
        for field, texts in error.message_dict.items()
    )


_NAMES = {"text": "public key", "public_key": "public key"}


def _locked(**which: object) -> Participant | None:
    """The participant found, locked so that no other change of it, or of its keys, runs beside this one.

    The rows of others may go on referring to it.
    """
    return Participant.objects.select_for_update(no_key=True).filter(**which).first()


def _lock(participant: int) -> None:
    _locked(pk=participant)


def _in_words(participant: Participant, field: str) -> str:
    value = getattr(participant, field)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) or "empty"


def _was_anothers(key: PublicKey) -> bool:
    """Whether the key in `key.text` has ended for another participant; a text that is no key is nobody's."""
    try:
        value = parse_public_key(key.text)
    except InvalidKey:
        return False
    others = PublicKey.objects.filter(value=value, valid_until__isnull=False)
    return others.exclude(participant=key.participant_id).exists()
