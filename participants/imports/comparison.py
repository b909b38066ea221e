"""Compare the lines of a file of participants with what is stored.

`participants.edits` and the models have the rules for a participant and a key. This module applies them to many rows
that are read at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db.models import Q

from participants import edits
from participants.discovery import endpoint_in_words
from participants.edits import Values
from participants.imports.lines import Lines, ParticipantLine
from participants.models import Participant, ParticipantStanding, PublicKey, Role

Span = Mapping[str, str]
"""The validity of a key in words, as `edits.validity_in_words` returns it."""

COLUMN_OF = {"reason": "standing", "text": "public_key", NON_FIELD_ERRORS: ""}
"""The column of the file for errors of a field that has another name."""

SUSPENDABLE = frozenset({ParticipantStanding.AUTHORIZED.value, ParticipantStanding.KNOWN.value})
"""Standings of participants that a full file may suspend."""

CHOICES = {"role": Role.values, "standing": ParticipantStanding.values}
"""The allowed values of the columns that have only a few."""

LABELS = {"public_key": "public key", "": "participant"}


@dataclass
class ParticipantChange:
    """The change of one participant. Its truth value is whether anything changes.

    Attributes:
        participant: The row, with its new values.
        before: The old values that differ, by field; None for a new participant.
        added: The keys that are new or valid again. Each comes with its validity before; None for a new key.
        ended: The keys that end, each with its validity before.
        unnamed: Whether a full file does not name the participant.
    """

    participant: Participant
    before: Values | None
    added: list[tuple[PublicKey, Span | None]] = field(default_factory=list)
    ended: list[tuple[PublicKey, Span]] = field(default_factory=list)
    unnamed: bool = False

    def __bool__(self) -> bool:
        return self.before is None or bool(self.before or self.added or self.ended)

    @property
    def revived_keys(self) -> list[PublicKey]:
        """The keys that had ended and are valid again."""
        return [key for key, before in self.added if before is not None]

    def in_words(self) -> str:
        """Return a sentence such as `Changed: AGR agr.example: standing known → authorized, 1 key added`."""
        row = self.participant
        if self.unnamed:
            return f"Suspended: {row}: the file does not name it"
        if self.before is None:
            parts = [row.standing, f"endpoint {endpoint_in_words(row.endpoint)}"]
        else:
            parts = [
                f"{name} {was or 'empty'} → {getattr(row, name) or 'empty'}"
                for name, was in self.before.items()
            ]
        keys = (
            (len(self.added) - len(self.revived_keys), "added"),
            (len(self.revived_keys), "valid again"),
            (len(self.ended), "ended"),
        )
        parts += [f"{count} {'key' if count == 1 else 'keys'} {done}" for count, done in keys if count]
        return f"{'New' if self.before is None else 'Changed'}: {row}: {', '.join(parts)}"

    def fingerprint_text(self) -> str:
        """Return a text that is equal if and only if the change is the same. It has no moments."""
        row = self.participant
        keys = (
            sorted((key.text, before is None) for key, before in self.added),
            sorted(key.text for key, _ in self.ended),
        )
        before = self.before and sorted(self.before.items())
        return repr((str(row), before, row.name, row.endpoint, row.standing, keys))


def compare(
    lines: Lines, *, full: bool, now: datetime, reason: str
) -> tuple[list[ParticipantChange], list[Participant]]:
    """Compare the lines with the stored participants, and add faults to the lines.

    Lock the named participants until the transaction ends; with a full file, lock all.

    Args:
        lines: The lines of the file.
        full: Whether the file names every participant. If any line is bad, it ends nothing all the same.
        now: The moment of the import, aware.
        reason: Why, for the rule that some standings need a reason.

    Returns:
        The change of each participant that a good line names, and the participants that a full file does not name.
    """
    rows = Participant.objects.select_for_update(no_key=True).order_by("pk")
    keys = PublicKey.objects.order_by("pk")
    named = {wanted.party for wanted in lines.wanted}
    if not full:
        rows = rows.filter(domain__in={domain for _, domain in named})
    stored = {(row.role, row.domain): row for row in rows}
    if not full:
        values = {value for wanted in lines.wanted for value in wanted.keys}
        keys = keys.filter(Q(participant__in=[row.pk for row in stored.values()]) | Q(value__in=values))
    known = _Keys(keys, now)
    changes = []
    for wanted in lines.wanted:
        change = _values(lines, wanted, stored.get(wanted.party), reason)
        _add_keys(lines, wanted, change, known)
        if full and wanted.keys:
            known.end(change, but=wanted.keys)
        changes.append(change)
    _refuse_shared_keys(lines, changes)
    if not lines.faults:
        return changes, [row for party, row in stored.items() if full and party not in named]
    bad = {line for line, *_ in lines.faults}
    for change in changes:
        change.ended.clear()
    return [
        change for wanted, change in zip(lines.wanted, changes, strict=True) if wanted.line not in bad
    ], []


class _Keys:
    """The stored keys, by participant and by their 32 bytes."""

    def __init__(self, keys: Iterable[PublicKey], now: datetime) -> None:
        self.now = now
        self._of: dict[int, dict[bytes, PublicKey]] = {}
        self._with: dict[bytes, list[PublicKey]] = {}
        for key in keys:
            value = bytes(key.value)
            self._of.setdefault(key.participant_id, {})[value] = key
            self._with.setdefault(value, []).append(key)

    def of(self, participant: Participant) -> Mapping[bytes, PublicKey]:
        """Return the keys of a participant; none if it is not stored."""
        return self._of.get(participant.pk, {})

    def of_others(self, participant: Participant, value: bytes) -> list[PublicKey]:
        """Return the keys with the same bytes that other participants have, or had."""
        return [key for key in self._with.get(value, ()) if key.participant_id != participant.pk]

    def end(self, change: ParticipantChange, *, but: Mapping[bytes, str]) -> None:
        """End the participant's keys that are not among `but`."""
        for value, key in self.of(change.participant).items():
            before = edits.validity_in_words(key)
            if value not in but:
                edits.end_validity(key, self.now)
                if edits.validity_in_words(key) != before:
                    change.ended.append((key, before))


def _values(
    lines: Lines, wanted: ParticipantLine, stored: Participant | None, reason: str
) -> ParticipantChange:
    """Return the change of a participant to the values of a line, without its keys."""
    values = {"endpoint": wanted.endpoint, "name": wanted.name} | (
        {"standing": wanted.standing} if wanted.standing else {}
    )
    row = stored or Participant(role=wanted.role, domain=wanted.domain, **values)
    before: Values | None = None
    try:
        if stored:
            before = edits.apply_values(row, values, reason=reason)
        else:
            row.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        _add_faults(lines, wanted, error)
    return ParticipantChange(row, before)


def _add_keys(lines: Lines, wanted: ParticipantLine, change: ParticipantChange, known: _Keys) -> None:
    """Add the keys that a line names to the change. Keys that have not ended stay as they are."""
    own = known.of(change.participant)
    for value, text in wanted.keys.items():
        key = own.get(value)
        before = edits.validity_in_words(key) if key else None
        others = known.of_others(change.participant, value)
        if key is None:
            key = PublicKey(participant=change.participant, text=text)
            was_anothers = any(other.valid_until for other in others)
            edits.start_validity(key, first=not own and not was_anothers, now=known.now)
        elif key.valid_until is None or key.valid_until > known.now:
            continue
        else:
            key.valid_from, key.valid_until = known.now, None
        try:
            key.clean_fields(exclude=["value", "participant"])
            key.clean_text()
            key.check_beside(others)
        except ValidationError as error:
            _add_faults(lines, wanted, error)
        change.added.append((key, before))


def _refuse_shared_keys(lines: Lines, changes: Iterable[ParticipantChange]) -> None:
    """Add a fault to each line that names a key which another participant's line adds too."""
    named: dict[bytes, list[ParticipantLine]] = {}
    for wanted, change in zip(lines.wanted, changes, strict=True):
        for key, _ in change.added:
            named.setdefault(bytes(key.value), []).append(wanted)
    for each in named.values():
        for wanted in each if len(each) > 1 else ():
            other = next((other for other in each if other.party != wanted.party), None)
            if other:
                rule = f"public key: Line {other.line} names the same key; each role and domain has its own."
                lines.fault(wanted.line, "public_key", rule)


def _add_faults(lines: Lines, wanted: ParticipantLine, error: ValidationError) -> None:
    """Add a fault to the line for each text of the error, in the column that it is about."""
    for field_name, texts in error.message_dict.items():
        column = COLUMN_OF.get(field_name, field_name)
        value = " ".join(wanted.party) if not column else getattr(wanted, column, "")
        rule = "reason" if field_name == "reason" else LABELS.get(column, column)
        for words in dict.fromkeys(_fault_text(column, value, text) for text in texts):
            lines.fault(wanted.line, column, f"{rule}: {words}", value)


def _fault_text(column: str, value: str, text: str) -> str:
    """Return what is wrong with a value; the allowed values if there are only a few."""
    if column in ("role", "domain") and not value:
        return "is empty"
    if column in CHOICES and value not in CHOICES[column]:
        return f"none of {', '.join(CHOICES[column])}"
    return text


def suspend(row: Participant, reason: str) -> ParticipantChange | None:
    """Return the suspension of a participant that a full file does not name; None if its standing stays."""
    if row.standing not in SUSPENDABLE:
        return None
    return ParticipantChange(
        row,
        edits.apply_values(row, {"standing": ParticipantStanding.SUSPENDED.value}, reason=reason),
        unnamed=True,
    )
