"""What a file of participants changes: each line against what is stored.

What a participant and a key may be, `editing` and the models say, for a file as for one; here they are read as sets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db.models import Q

from participants import edits
from participants.edits import Values
from participants.imports.lines import Lines, Wanted
from participants.models import Participant, PublicKey, Role, Standing

Span = Mapping[str, str]
"""From when until when a key is valid, as `editing.span` says it."""

COLUMN_OF = {"reason": "standing", "text": "public_key", NON_FIELD_ERRORS: ""}
"""The column of the file that is to blame, for errors that name something else."""

SUSPENDABLE = frozenset({Standing.AUTHORIZED.value, Standing.KNOWN.value})
"""Standings of participants that a full file may suspend."""

CHOICES = {"role": Role.values, "standing": Standing.values}
"""What a column may hold, where that is one of a few words."""

WORDS = {"public_key": "public key", "": "participant"}


@dataclass
class Change:
    """What becomes of one participant: `before` are its values that differ, None where it is added.

    `added` are the keys that are added, or valid again, each with its span until then, None where it is added; `ended`
    those that end. `unnamed`: the file, which is a full one, does not name it.
    """

    participant: Participant
    before: Values | None
    added: list[tuple[PublicKey, Span | None]] = field(default_factory=list)
    ended: list[tuple[PublicKey, Span]] = field(default_factory=list)
    unnamed: bool = False

    def __bool__(self) -> bool:
        return self.before is None or bool(self.before or self.added or self.ended)

    @property
    def again(self) -> list[PublicKey]:
        """Keys that had ended and are valid again."""
        return [key for key, before in self.added if before is not None]

    def in_words(self) -> str:
        """Such as `Changed: AGR agr.example: standing known → authorized, 1 key added`."""
        row = self.participant
        if self.unnamed:
            return f"Suspended: {row}: the file does not name it"
        if self.before is None:
            said = [row.standing, f"endpoint {row.endpoint or 'by discovery'}"]
        else:
            said = [
                f"{name} {was or 'empty'} → {getattr(row, name) or 'empty'}"
                for name, was in self.before.items()
            ]
        keys = (
            (len(self.added) - len(self.again), "added"),
            (len(self.again), "valid again"),
            (len(self.ended), "ended"),
        )
        said += [f"{count} {'key' if count == 1 else 'keys'} {done}" for count, done in keys if count]
        return f"{'New' if self.before is None else 'Changed'}: {row}: {', '.join(said)}"

    def essence(self) -> str:
        """The same wherever the same happens, whenever it does."""
        row = self.participant
        keys = (
            sorted((key.text, before is None) for key, before in self.added),
            sorted(key.text for key, _ in self.ended),
        )
        before = self.before and sorted(self.before.items())
        return repr((str(row), before, row.name, row.endpoint, row.standing, keys))


def compare(
    lines: Lines, *, full: bool, now: datetime, reason: str
) -> tuple[list[Change], list[Participant]]:
    """What becomes of each participant of whom a good line wants something; and, with a `full` file, whom none names.

    Adds to the faults of the lines. Where any is bad, a full file ends nothing. `now` is aware. The participants, and
    with a full file all of them, are locked until the transaction ends.
    """
    rows = Participant.objects.select_for_update(no_key=True).order_by("pk")
    keys = PublicKey.objects.order_by("pk")
    named = {wanted.who for wanted in lines.wanted}
    if not full:
        rows = rows.filter(domain__in={domain for _, domain in named})
    stored = {(row.role, row.domain): row for row in rows}
    if not full:
        values = {value for wanted in lines.wanted for value in wanted.keys}
        keys = keys.filter(Q(participant__in=[row.pk for row in stored.values()]) | Q(value__in=values))
    known = _Keys(keys, now)
    changes = []
    for wanted in lines.wanted:
        change = _values(lines, wanted, stored.get(wanted.who), reason)
        _add_keys(lines, wanted, change, known)
        if full and wanted.keys:
            known.end(change, but=wanted.keys)
        changes.append(change)
    _refuse_shared_keys(lines, changes)
    if not lines.faults:
        return changes, [row for who, row in stored.items() if full and who not in named]
    bad = {line for line, *_ in lines.faults}
    for change in changes:
        change.ended.clear()
    return [
        change for wanted, change in zip(lines.wanted, changes, strict=True) if wanted.line not in bad
    ], []


class _Keys:
    """The keys on record, by participant and by their 32 bytes."""

    def __init__(self, keys: Iterable[PublicKey], now: datetime) -> None:
        self.now = now
        self._of: dict[int, dict[bytes, PublicKey]] = {}
        self._with: dict[bytes, list[PublicKey]] = {}
        for key in keys:
            value = bytes(key.value)
            self._of.setdefault(key.participant_id, {})[value] = key
            self._with.setdefault(value, []).append(key)

    def of(self, participant: Participant) -> Mapping[bytes, PublicKey]:
        """Those of a participant; none of one that is not stored."""
        return self._of.get(participant.pk, {})

    def of_others(self, participant: Participant, value: bytes) -> list[PublicKey]:
        """Those of the same bytes that other participants have, or had."""
        return [key for key in self._with.get(value, ()) if key.participant_id != participant.pk]

    def end(self, change: Change, *, but: Mapping[bytes, str]) -> None:
        """End the participant's keys that are not among `but`."""
        for value, key in self.of(change.participant).items():
            before = edits.span(key)
            if value not in but:
                edits.end(key, self.now)
                if edits.span(key) != before:
                    change.ended.append((key, before))


def _values(lines: Lines, wanted: Wanted, stored: Participant | None, reason: str) -> Change:
    """The participant with the values of a line."""
    given = {"endpoint": wanted.endpoint, "name": wanted.name} | (
        {"standing": wanted.standing} if wanted.standing else {}
    )
    row = stored or Participant(role=wanted.role, domain=wanted.domain, **given)
    before: Values | None = None
    try:
        if stored:
            before = edits.give(row, given, reason=reason)
        else:
            row.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        _blame(lines, wanted, error)
    return Change(row, before)


def _add_keys(lines: Lines, wanted: Wanted, change: Change, known: _Keys) -> None:
    """Have the keys that a line names be the participant's; those that have not ended are so already."""
    own = known.of(change.participant)
    for value, text in wanted.keys.items():
        key = own.get(value)
        before = edits.span(key) if key else None
        others = known.of_others(change.participant, value)
        if key is None:
            key = PublicKey(participant=change.participant, text=text)
            was_anothers = any(other.valid_until for other in others)
            edits.begin(key, first=not own and not was_anothers, now=known.now)
        elif key.valid_until is None or key.valid_until > known.now:
            continue
        else:
            key.valid_from, key.valid_until = known.now, None
        try:
            key.clean_fields(exclude=["value", "participant"])
            key.clean_text()
            key.check_beside(others)
        except ValidationError as error:
            _blame(lines, wanted, error)
        change.added.append((key, before))


def _refuse_shared_keys(lines: Lines, changes: Iterable[Change]) -> None:
    """Each participant has keys of its own, also where a file adds them."""
    named: dict[bytes, list[Wanted]] = {}
    for wanted, change in zip(lines.wanted, changes, strict=True):
        for key, _ in change.added:
            named.setdefault(bytes(key.value), []).append(wanted)
    for each in named.values():
        for wanted in each if len(each) > 1 else ():
            other = next((other for other in each if other.who != wanted.who), None)
            if other:
                rule = f"public key: Line {other.line} names the same key; each role and domain has its own."
                lines.fault(wanted.line, "public_key", rule)


def _blame(lines: Lines, wanted: Wanted, error: ValidationError) -> None:
    """Note an error of the verbs with the line: a fault for each text, in the column that it is about."""
    for field_name, texts in error.message_dict.items():
        column = COLUMN_OF.get(field_name, field_name)
        value = " ".join(wanted.who) if not column else getattr(wanted, column, "")
        rule = "reason" if field_name == "reason" else WORDS.get(column, column)
        for words in dict.fromkeys(_said(column, value, text) for text in texts):
            lines.fault(wanted.line, column, f"{rule}: {words}", value)


def _said(column: str, value: str, text: str) -> str:
    """The words for what is wrong with a value: of one out of a few, which these are."""
    if column in ("role", "domain") and not value:
        return "is empty"
    if column in CHOICES and value not in CHOICES[column]:
        return f"none of {', '.join(CHOICES[column])}"
    return text


def suspend(row: Participant, reason: str) -> Change | None:
    """What becomes of a participant that a full file does not name; None: it is suspended or barred already."""
    if row.standing not in SUSPENDABLE:
        return None
    return Change(row, edits.give(row, {"standing": Standing.SUSPENDED.value}, reason=reason), unnamed=True)
