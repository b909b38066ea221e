"""Take in a file of participants: all of it, or nothing (docs/operating.md, CSV files; docs/rules.md I1 to I4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import TypeVar

from django.db import IntegrityError, connection, transaction
from django.db.models import Model

from common.csv.importing import Imported, ImportRefused, Options, Step, guard, quiet
from common.csv.reader import Fault, Row
from common.csv.rejects import Rejects
from common.previews import ConsequencesChanged
from common.retry import LostRace, sqlstate
from participants import edits
from participants.imports.comparison import SUSPENDABLE, Change, compare, suspend
from participants.imports.lines import PARTICIPANT_COLUMNS, read
from participants.models import AuditEntry, Participant, PublicKey

M = TypeVar("M", bound=Model)

__all__ = ["PARTICIPANT_COLUMNS", "import_participants"]

AT_ONCE = 2_000
"""Rows that are inserted by one statement."""

SHOWN = 50
"""Participants of whom it is told what changes."""

UNIQUE_VIOLATION = "23505"

CHANGE_PARTICIPANTS = """
UPDATE participants_participant p SET name = v.name, endpoint = v.endpoint, standing = v.standing
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) AS v (id, name, endpoint, standing)
WHERE p.id = v.id
"""

CHANGE_KEYS = """
UPDATE participants_publickey k SET valid_from = v.valid_from, valid_until = v.valid_until
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS v (id, valid_from, valid_until)
WHERE k.id = v.id
"""


def nothing() -> None:
    """Does nothing."""


def import_participants(
    rows: Iterable[Row | Fault],
    *,
    options: Options,
    now: datetime,
    actor: str,
    reason: str,
    rejects: Rejects,
    step: Step = quiet,
    before_commit: Callable[[], None] = nothing,
    expected: str | None = None,
) -> Imported:
    """Add and change the participants of a file, in the caller's transaction.

    `rows` are read with PARTICIPANT_COLUMNS. An empty endpoint or name is empty from then on; an empty standing stays,
    and is authorized for one that is added. Keys that a line names are valid beside the others from `now` (aware) on;
    those that have not ended stay as they are. A full file suspends the participants that it does not name, unless they
    are barred, and ends the keys that a line which names some leaves out; where bad lines are skipped, it does neither.
    `reason` goes into the audit trail, with each participant and key.

    What is wrong with any line is in `rejects` when this returns, or raises ImportRefused. Raises Shrunk; with
    `expected`, ConsequencesChanged where anything else would follow than what that fingerprint is of; and lost races.
    `before_commit` is called last.
    """
    step("checking")
    lines = read(rows)
    step("comparing")
    compared, unnamed = compare(lines, full=options.full, now=now, reason=reason)
    places = {column: place for place, column in enumerate(PARTICIPANT_COLUMNS)}
    rejects.fill(sorted(lines.faults, key=lambda fault: (fault[0], places.get(fault[1], -1))))
    if lines.faults and not options.skip_bad_lines:
        raise ImportRefused(rejects)
    suspended = _suspended(unnamed, options, reason)
    changed = [change for change in compared if change] + suspended
    found = _fingerprint(changed)
    if expected is not None and found != expected:
        raise ConsequencesChanged("The participants have")
    step("writing")
    _write(changed, actor, reason)
    before_commit()
    return Imported(
        change=None,
        lines=lines.count,
        counts=_counts(compared, suspended),
        warnings=tuple(_warnings(changed, options.full and bool(lines.faults))),
        told=tuple(change.in_words() for change in changed[:SHOWN]),
        fingerprint=found,
    )


def _suspended(unnamed: Sequence[Participant], options: Options, reason: str) -> list[Change]:
    """What becomes of the participants that a full file does not name. Raises Shrunk."""
    changes = [change for row in unnamed if (change := suspend(row, reason))]
    if changes:
        there = Participant.objects.filter(standing__in=SUSPENDABLE).count()
        guard(options, len(changes), there, "known and authorized participants", "suspend")
    return changes


def _warnings(changed: Sequence[Change], nothing_ended: bool) -> Iterable[str]:
    if again := sum(len(change.again) for change in changed):
        yield f"{again:,} {'key that had ended is' if again == 1 else 'keys that had ended are'} valid again."
    if nothing_ended:
        yield "Lines are bad, so nothing that the file does not name was ended."


def _counts(changes: Sequence[Change], suspended: Sequence[Change]) -> Mapping[str, int]:
    new = sum(change.before is None for change in changes)
    changed = sum(bool(change) for change in changes) - new
    return {
        "new": new,
        "changed": changed,
        "unchanged": len(changes) - new - changed,
        "suspended": len(suspended),
        "keys added": sum(len(change.added) for change in changes),
        "keys ended": sum(len(change.ended) for change in changes),
    }


def _fingerprint(changed: Sequence[Change]) -> str:
    """Of all that changes, whatever the order of the lines."""
    return sha256("\n".join(sorted(change.essence() for change in changed)).encode()).hexdigest()[:32]


def _write(changed: Sequence[Change], actor: str, reason: str) -> None:
    """Store what changes, and say it in the audit trail."""
    _insert(Participant, [change.participant for change in changed if change.before is None])
    _insert(PublicKey, [key for change in changed for key, before in change.added if before is None])
    entries: list[AuditEntry] = []
    participants, keys = [], []
    for change in changed:
        row = change.participant
        if change.before:
            participants.append((row.pk, row.name, row.endpoint, row.standing))
        if change.before is None or change.before:
            entries.append(edits.participant_entry(row, change.before, actor, reason))
        for key, before in [*change.added, *change.ended]:
            entries.append(edits.key_entry(key, before, actor, reason))
            if before is not None:
                keys.append((key.pk, key.valid_from, key.valid_until))
    with connection.cursor() as cursor:
        for statement, rows in ((CHANGE_KEYS, keys), (CHANGE_PARTICIPANTS, participants)):
            if rows:
                cursor.execute(statement, [list(column) for column in zip(*rows, strict=True)])
    AuditEntry.objects.bulk_create(entries, batch_size=AT_ONCE)


def _insert(model: type[M], rows: Sequence[M]) -> None:
    """Add the rows; what somebody else has added meanwhile is a lost race."""
    try:
        with transaction.atomic():
            model._default_manager.bulk_create(rows, batch_size=AT_ONCE)
    except IntegrityError as error:
        if sqlstate(error) == UNIQUE_VIOLATION:
            raise LostRace from error
        raise
